"""A parameter server on the library's links, for asynchronous training; see :class:`ParameterServer`."""

from allred.server.optimizers import SGD, Adam, AdamW, Optimizer
from allred.server.parameter_server import ParameterServer
from allred.server.status import Status
from allred.server.work import ServerWork

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "ParameterServer", "ServerWork", "Status"]
