"""Facts with dates: models, price books, GPUs, measurements. The one place that prices a call."""

from llmbench.catalog.architectures import Architecture, all_architectures, architecture
from llmbench.catalog.bench_files import read_bench_file
from llmbench.catalog.books import BOOKS, PriceBook, price_book, price_call
from llmbench.catalog.dtypes import DTYPES, DType, dtype_facts
from llmbench.catalog.engines import EngineFacts, all_engines, engine_facts
from llmbench.catalog.gpus import GpuFacts, all_gpus, gpu_facts
from llmbench.catalog.info import model_info, models_of, unlisted_model_info
from llmbench.catalog.measured import MeasuredRow, measured_sources, measured_throughput
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
from llmbench.catalog.training import TrainingTerms, training_terms
from llmbench.catalog.training_prices import (
    TRAINING_METHODS,
    TrainingMethod,
    TrainingPrice,
    training_price,
)
from llmbench.catalog.tuned_models import TunedModel, register_tuned_model, tuned_base, tuned_models

__all__ = [
    "BOOKS",
    "DTYPES",
    "SELF_HOSTED",
    "TIERS",
    "TRAINING_METHODS",
    "UNKNOWN",
    "Architecture",
    "DType",
    "EngineFacts",
    "GpuFacts",
    "MeasuredRow",
    "ModelFacts",
    "Price",
    "PriceBook",
    "Quirks",
    "Tier",
    "TokenCount",
    "TokenPrice",
    "TokenizerChoice",
    "TrainingMethod",
    "TrainingPrice",
    "TrainingTerms",
    "TunedModel",
    "all_architectures",
    "all_engines",
    "all_gpus",
    "all_models",
    "architecture",
    "canonical_name",
    "count_tokens",
    "dtype_facts",
    "engine_facts",
    "gpu_facts",
    "measured_sources",
    "measured_throughput",
    "model_facts",
    "model_info",
    "models_of",
    "price_book",
    "price_call",
    "price_from",
    "price_usage",
    "read_bench_file",
    "register_tuned_model",
    "tier_served",
    "token_price",
    "tokenizer_for",
    "training_price",
    "training_terms",
    "tuned_base",
    "tuned_models",
    "unlisted_model_info",
]
