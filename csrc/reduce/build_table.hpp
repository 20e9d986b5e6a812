// build_table<Arch>(): the kernels of one instruction set, laid out for the dispatcher at compile time.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#include "common/dispatch.hpp"
#include "reduce/copy_lines.hpp"
#include "reduce/fold.hpp"
#include "reduce/formats.hpp"
#include "reduce/kernel_table.hpp"
#include "reduce/matrix.hpp"
#include "reduce/ops.hpp"
#include "reduce/quantise.hpp"

namespace allred {
namespace {

template <class Arch, class Format, class Op>
consteval void put(KernelTable::Row& row, ReduceOp op) {
  row[static_cast<std::size_t>(op)] = &Fold<Arch, Format, Format, Op>::run;
}

/// What floats and complex numbers have in common: complex lanes add, scale and divide as floats do.
template <class Arch, class Format>
consteval void put_linear(KernelTable::Row& row) {
  put<Arch, Format, Sum>(row, ReduceOp::sum);
  put<Arch, Format, Average>(row, ReduceOp::avg);
  put<Arch, Format, PremulSum>(row, ReduceOp::premul_sum);
}

template <class Arch, class Format>
consteval KernelTable::Row floating_row() {
  KernelTable::Row row{};
  put_linear<Arch, Format>(row);
  put<Arch, Format, Product>(row, ReduceOp::product);
  put<Arch, Format, Min>(row, ReduceOp::min);
  put<Arch, Format, Max>(row, ReduceOp::max);
  return row;
}

template <class Arch, class T>
consteval KernelTable::Row complex_row() {
  KernelTable::Row row{};
  put_linear<Arch, Interleaved<T>>(row);
  put<Arch, Interleaved<T>, ComplexProduct>(row, ReduceOp::product);
  return row;
}

/// Only order and division know of signs; the rest wraps, and is done unsigned.
template <class Arch, class T>
consteval KernelTable::Row integer_row() {
  using Wrapping = Plain<std::make_unsigned_t<T>>;
  KernelTable::Row row{};
  put<Arch, Wrapping, Sum>(row, ReduceOp::sum);
  put<Arch, Wrapping, Product>(row, ReduceOp::product);
  put<Arch, Plain<T>, Min>(row, ReduceOp::min);
  put<Arch, Plain<T>, Max>(row, ReduceOp::max);
  put<Arch, Plain<T>, IntegerAverage>(row, ReduceOp::avg);
  put<Arch, Wrapping, BitAnd>(row, ReduceOp::band);
  put<Arch, Wrapping, BitOr>(row, ReduceOp::bor);
  put<Arch, Wrapping, BitXor>(row, ReduceOp::bxor);
  return row;
}

template <class Arch>
consteval KernelTable::Row boolean_row() {
  KernelTable::Row row{};
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max, ReduceOp::bor}) put<Arch, Boolean, BitOr>(row, op);
  for (const ReduceOp op : {ReduceOp::product, ReduceOp::min, ReduceOp::band}) put<Arch, Boolean, BitAnd>(row, op);
  put<Arch, Boolean, BitXor>(row, ReduceOp::bxor);
  return row;
}

template <class Arch, class T>
consteval KernelTable::Row row_of(TypeTag<T>) {
  return integer_row<Arch, T>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<bool>) {
  return boolean_row<Arch>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<float>) {
  return floating_row<Arch, Plain<float>>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<double>) {
  return floating_row<Arch, Plain<double>>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<Float16>) {
  return floating_row<Arch, HalfFloat>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<BFloat16>) {
  return floating_row<Arch, BrainFloat>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<Float8E4M3FN>) {
  return floating_row<Arch, Float8<E4M3FN>>();
}
template <class Arch>
consteval KernelTable::Row row_of(TypeTag<Float8E5M2>) {
  return floating_row<Arch, Float8<E5M2>>();
}
template <class Arch, class T>
consteval KernelTable::Row row_of(TypeTag<std::complex<T>>) {
  return complex_row<Arch, T>();
}

template <class Arch, class Format>
consteval void put_conversions(KernelTable& table, DType narrow) {
  const auto idx = static_cast<std::size_t>(narrow);
  table.widen[idx] = &Fold<Arch, Format, Plain<float>, Sum>::run;
  table.narrow[idx] = &Fold<Arch, Plain<float>, Format, Sum>::run;
}

template <class Arch>
consteval KernelTable build_table() {
  KernelTable table{};
  for (const DTypeInfo& each : kDTypes) {
    table.reduce[static_cast<std::size_t>(each.dtype)] =
        visit(each.dtype, []<class T>(TypeTag<T> tag) { return row_of<Arch>(tag); });
  }
  put_conversions<Arch, HalfFloat>(table, DType::float16);
  put_conversions<Arch, BrainFloat>(table, DType::bfloat16);
  put_conversions<Arch, Float8<E4M3FN>>(table, DType::float8_e4m3fn);
  put_conversions<Arch, Float8<E5M2>>(table, DType::float8_e5m2);
  table.copy = &CopyLines<Arch>::run;
  table.copy_ahead = &CopyLines<Arch>::run_ahead;
  table.copy_past = &CopyLines<Arch>::run_past;
  table.quantise = &Quantise<Arch>::run;
  table.dequantise = &Dequantise<Arch>::run;
  table.multiply = &Matrix<Arch>::multiply;
  table.orthonormalise = &Matrix<Arch>::orthonormalise;
  return table;
}

}  // namespace
}  // namespace allred
