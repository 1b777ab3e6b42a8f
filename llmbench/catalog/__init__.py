"""Facts with dates: models and price books. The one place that prices a call."""

from llmbench.catalog.info import model_info, models_of, unlisted_model_info
from llmbench.catalog.models import ModelFacts, all_models, canonical_name, model_facts
from llmbench.catalog.prices import (
    BOOKS,
    SELF_HOSTED,
    Price,
    PriceBook,
    TokenPrice,
    price_book,
    price_call,
    price_from,
    price_usage,
    token_price,
)

__all__ = [
    "BOOKS",
    "SELF_HOSTED",
    "ModelFacts",
    "Price",
    "PriceBook",
    "TokenPrice",
    "all_models",
    "canonical_name",
    "model_facts",
    "model_info",
    "models_of",
    "price_book",
    "price_call",
    "price_from",
    "price_usage",
    "token_price",
    "unlisted_model_info",
]
