"""Facts with dates: models and price books. The one place that prices a call."""

from llmbench.catalog.books import BOOKS, PriceBook, price_book, price_call
from llmbench.catalog.info import model_info, models_of, unlisted_model_info
from llmbench.catalog.models import ModelFacts, all_models, canonical_name, model_facts
from llmbench.catalog.prices import (
    SELF_HOSTED,
    TIERS,
    UNKNOWN,
    Price,
    Tier,
    TokenPrice,
    price_from,
    price_usage,
    tier_served,
    token_price,
)
from llmbench.catalog.quirks import Quirks
from llmbench.catalog.tokenizers import TokenCount, TokenizerChoice, count_tokens, tokenizer_for

__all__ = [
    "BOOKS",
    "SELF_HOSTED",
    "TIERS",
    "UNKNOWN",
    "ModelFacts",
    "Price",
    "PriceBook",
    "Quirks",
    "Tier",
    "TokenCount",
    "TokenPrice",
    "TokenizerChoice",
    "all_models",
    "canonical_name",
    "count_tokens",
    "model_facts",
    "model_info",
    "models_of",
    "price_book",
    "price_call",
    "price_from",
    "price_usage",
    "tier_served",
    "token_price",
    "tokenizer_for",
    "unlisted_model_info",
]
