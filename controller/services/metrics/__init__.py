"""What devices measured, over time: as it came for a day, by five minutes for a month, by the hour for two years.

A row is never changed by fewer values than it holds, so whatever is done twice, late, or again after
a kill gives the same rows; what is not in the coarser rows yet is not deleted.
"""

from controller.services.metrics.condensing import STEPS, Step, begin, due, finish, means, put
from controller.services.metrics.history import MAX_POINTS, History, Point, Series, history
from controller.services.metrics.measures import MAX_MEASURES, MAX_NAME, of, unit
from controller.services.metrics.recording import record
from controller.services.metrics.sample import Sample

__all__ = [
    "MAX_MEASURES",
    "MAX_NAME",
    "MAX_POINTS",
    "STEPS",
    "History",
    "Point",
    "Sample",
    "Series",
    "Step",
    "begin",
    "due",
    "finish",
    "history",
    "means",
    "of",
    "put",
    "record",
    "unit",
]
