// oneCCL for the benchmark: collectives on memory of the CPU, which return when they are done.
//
// Buffers are addresses, so that a call costs Python as little as it can. Their owner keeps them.

#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <oneapi/ccl.hpp>
#include <string_view>

namespace py = pybind11;

namespace {

using Address = std::uintptr_t;

void* pointer(Address address) { return reinterpret_cast<void*>(address); }

// Where ranks meet. Rank 0 makes it, and it lives as long as rank 0's communicator; the others find it by its address.
class Rendezvous {
 public:
  Rendezvous() : store_(ccl::create_main_kvs()) {}

  explicit Rendezvous(std::string_view bytes) {
    ccl::kvs::address_type address{};
    std::copy_n(bytes.data(), std::min(bytes.size(), address.size()), address.data());
    store_ = ccl::create_kvs(address);
  }

  py::bytes address() const {
    const auto address = store_->get_address();
    return py::bytes(address.data(), address.size());
  }

  std::shared_ptr<ccl::kvs> store() const { return store_; }

 private:
  std::shared_ptr<ccl::kvs> store_;
};

// A group of ranks. Not thread-safe. Every call is collective and blocks.
class Communicator {
 public:
  Communicator(int rank, int size, const Rendezvous& rendezvous)
      : communicator_(ccl::create_communicator(size, rank, rendezvous.store())) {}

  void all_reduce(Address input, Address output, std::size_t count, ccl::datatype dtype, ccl::reduction op) {
    ccl::allreduce(pointer(input), pointer(output), count, dtype, op, communicator_).wait();
  }

  void broadcast(Address buffer, std::size_t count, ccl::datatype dtype, int root) {
    ccl::broadcast(pointer(buffer), count, dtype, root, communicator_).wait();
  }

  void reduce(Address input, Address output, std::size_t count, ccl::datatype dtype, ccl::reduction op, int root) {
    ccl::reduce(pointer(input), pointer(output), count, dtype, op, root, communicator_).wait();
  }

  void all_gather(Address input, Address output, std::size_t count, ccl::datatype dtype) {
    ccl::allgather(pointer(input), pointer(output), count, dtype, communicator_).wait();
  }

  void reduce_scatter(Address input, Address output, std::size_t count, ccl::datatype dtype, ccl::reduction op) {
    ccl::reduce_scatter(pointer(input), pointer(output), count, dtype, op, communicator_).wait();
  }

  void scatter(Address input, Address output, std::size_t count, ccl::datatype dtype, int root) {
    ccl::scatter(pointer(input), pointer(output), count, dtype, root, communicator_).wait();
  }

  void all_to_all(Address input, Address output, std::size_t count, ccl::datatype dtype) {
    ccl::alltoall(pointer(input), pointer(output), count, dtype, communicator_).wait();
  }

  void send(Address buffer, std::size_t count, ccl::datatype dtype, int peer) {
    ccl::send(pointer(buffer), count, dtype, peer, communicator_).wait();
  }

  void recv(Address buffer, std::size_t count, ccl::datatype dtype, int peer) {
    ccl::recv(pointer(buffer), count, dtype, peer, communicator_).wait();
  }

  void barrier() { ccl::barrier(communicator_).wait(); }

 private:
  ccl::communicator communicator_;
};

void bind_enums(py::module_& module) {
  using ccl::datatype;
  py::enum_<datatype>(module, "Datatype")
      .value("int8", datatype::int8)
      .value("uint8", datatype::uint8)
      .value("int16", datatype::int16)
      .value("uint16", datatype::uint16)
      .value("int32", datatype::int32)
      .value("uint32", datatype::uint32)
      .value("int64", datatype::int64)
      .value("uint64", datatype::uint64)
      .value("float16", datatype::float16)
      .value("bfloat16", datatype::bfloat16)
      .value("float32", datatype::float32)
      .value("float64", datatype::float64);
  // Without avg, which oneCCL has on GPUs alone.
  py::enum_<ccl::reduction>(module, "Reduction")
      .value("sum", ccl::reduction::sum)
      .value("product", ccl::reduction::prod)
      .value("min", ccl::reduction::min)
      .value("max", ccl::reduction::max);
}

void bind_communicator(py::module_& module) {
  const py::call_guard<py::gil_scoped_release> without_gil;
  py::class_<Communicator>(module, "Communicator")
      .def(py::init<int, int, const Rendezvous&>(), without_gil)
      .def("all_reduce", &Communicator::all_reduce, without_gil)
      .def("broadcast", &Communicator::broadcast, without_gil)
      .def("reduce", &Communicator::reduce, without_gil)
      .def("all_gather", &Communicator::all_gather, without_gil)
      .def("reduce_scatter", &Communicator::reduce_scatter, without_gil)
      .def("scatter", &Communicator::scatter, without_gil)
      .def("all_to_all", &Communicator::all_to_all, without_gil)
      .def("send", &Communicator::send, without_gil)
      .def("recv", &Communicator::recv, without_gil)
      .def("barrier", &Communicator::barrier, without_gil);
}

}  // namespace

PYBIND11_MODULE(_oneccl, module) {
  ccl::init();
  bind_enums(module);
  py::class_<Rendezvous>(module, "Rendezvous")
      .def(py::init<>())
      .def(py::init<std::string_view>())
      .def_property_readonly("address", &Rendezvous::address);
  bind_communicator(module);
}
