"""Statistics of evaluations and experiments: numbers in, results out.

Group 1 comes first, and a difference is first minus second. Intervals are `Interval(low, high)`, tests
`TestResult(statistic, p_value)`, and a margin is the null value itself (-0.03: "at most 3 points worse").
What too few values cannot tell is NaN, never zero. Bad input raises `UsageError` naming the parameter.

Names load on first use, so that `import llmbench.stats` brings in neither numpy nor scipy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.stats.agreement import cohen_kappa
    from llmbench.stats.bayes import expected_loss, probability_best, probability_ratio_above
    from llmbench.stats.clustered import (
        ClusteredComparison,
        ClusterMoments,
        cluster_moments,
        clustered_comparison,
        clustered_margin_test,
    )
    from llmbench.stats.difference_sequence import asymptotic_difference_sequence
    from llmbench.stats.e_process import ReplyShareEProcess, reply_share_e_process
    from llmbench.stats.e_process_plans import e_process_power, e_process_replies
    from llmbench.stats.equality import equality_test
    from llmbench.stats.fieller import FiellerInterval, fieller_interval
    from llmbench.stats.intervals import Interval, TestResult
    from llmbench.stats.margins import margin_test
    from llmbench.stats.means import MeanEstimate, mean_and_standard_error, mean_interval
    from llmbench.stats.multiplicity import adjust_p_values
    from llmbench.stats.paired import PairedDifference, mcnemar, paired_difference, paired_margin_test
    from llmbench.stats.planning import (
        discordance_spread,
        items_needed,
        minimum_detectable_paired_difference,
        resolution_ratio,
    )
    from llmbench.stats.prediction_powered import (
        JudgedSample,
        PredictionPoweredDifference,
        PredictionPoweredMean,
        prediction_powered_difference,
        prediction_powered_mean,
    )
    from llmbench.stats.proportions import clopper_pearson_interval, wilson_interval
    from llmbench.stats.quantiles import quantile_interval
    from llmbench.stats.rate_differences import rate_difference_interval
    from llmbench.stats.rate_ratios import rate_ratio_interval
    from llmbench.stats.ratios import RatioEstimate, ratio_of_totals
    from llmbench.stats.repeats import VarianceComponents, pass_at_k, pass_hat_k, variance_components
    from llmbench.stats.resampling import bootstrap_interval
    from llmbench.stats.sample_ratio import (
        SequentialSampleRatio,
        sample_ratio_mismatch,
        sequential_sample_ratio_mismatch,
    )
    from llmbench.stats.sample_sizes import minimum_detectable_effect, power, sample_size
    from llmbench.stats.spending import (
        CrossingProbabilities,
        SpendingSchedule,
        alpha_spending_bounds,
        crossing_probabilities,
        sequential_inflation,
        spending_schedule,
        stagewise_p_value,
    )
    from llmbench.stats.stratified import (
        stratified_difference_interval,
        stratified_equality_test,
        stratified_margin_test,
        stratified_ratio_interval,
    )
    from llmbench.stats.strengths import BradleyTerry, bradley_terry, bradley_terry_estimate
    from llmbench.stats.tango import tango_interval, tango_statistic

_MODULE_OF = {
    "BradleyTerry": "strengths",
    "ClusterMoments": "clustered",
    "ClusteredComparison": "clustered",
    "CrossingProbabilities": "spending",
    "FiellerInterval": "fieller",
    "Interval": "intervals",
    "JudgedSample": "prediction_powered",
    "MeanEstimate": "means",
    "PairedDifference": "paired",
    "PredictionPoweredDifference": "prediction_powered",
    "PredictionPoweredMean": "prediction_powered",
    "RatioEstimate": "ratios",
    "ReplyShareEProcess": "e_process",
    "SequentialSampleRatio": "sample_ratio",
    "SpendingSchedule": "spending",
    "TestResult": "intervals",
    "VarianceComponents": "repeats",
    "adjust_p_values": "multiplicity",
    "alpha_spending_bounds": "spending",
    "asymptotic_difference_sequence": "difference_sequence",
    "bootstrap_interval": "resampling",
    "bradley_terry": "strengths",
    "bradley_terry_estimate": "strengths",
    "clopper_pearson_interval": "proportions",
    "cluster_moments": "clustered",
    "clustered_comparison": "clustered",
    "clustered_margin_test": "clustered",
    "cohen_kappa": "agreement",
    "crossing_probabilities": "spending",
    "discordance_spread": "planning",
    "e_process_power": "e_process_plans",
    "e_process_replies": "e_process_plans",
    "equality_test": "equality",
    "expected_loss": "bayes",
    "fieller_interval": "fieller",
    "items_needed": "planning",
    "margin_test": "margins",
    "mcnemar": "paired",
    "mean_and_standard_error": "means",
    "mean_interval": "means",
    "minimum_detectable_effect": "sample_sizes",
    "minimum_detectable_paired_difference": "planning",
    "paired_difference": "paired",
    "paired_margin_test": "paired",
    "pass_at_k": "repeats",
    "pass_hat_k": "repeats",
    "power": "sample_sizes",
    "prediction_powered_difference": "prediction_powered",
    "prediction_powered_mean": "prediction_powered",
    "probability_best": "bayes",
    "probability_ratio_above": "bayes",
    "quantile_interval": "quantiles",
    "rate_difference_interval": "rate_differences",
    "rate_ratio_interval": "rate_ratios",
    "ratio_of_totals": "ratios",
    "reply_share_e_process": "e_process",
    "resolution_ratio": "planning",
    "sample_ratio_mismatch": "sample_ratio",
    "sample_size": "sample_sizes",
    "sequential_inflation": "spending",
    "sequential_sample_ratio_mismatch": "sample_ratio",
    "spending_schedule": "spending",
    "stagewise_p_value": "spending",
    "stratified_difference_interval": "stratified",
    "stratified_equality_test": "stratified",
    "stratified_margin_test": "stratified",
    "stratified_ratio_interval": "stratified",
    "tango_interval": "tango",
    "tango_statistic": "tango",
    "variance_components": "repeats",
    "wilson_interval": "proportions",
}

__all__ = [
    "BradleyTerry",
    "ClusterMoments",
    "ClusteredComparison",
    "CrossingProbabilities",
    "FiellerInterval",
    "Interval",
    "JudgedSample",
    "MeanEstimate",
    "PairedDifference",
    "PredictionPoweredDifference",
    "PredictionPoweredMean",
    "RatioEstimate",
    "ReplyShareEProcess",
    "SequentialSampleRatio",
    "SpendingSchedule",
    "TestResult",
    "VarianceComponents",
    "adjust_p_values",
    "alpha_spending_bounds",
    "asymptotic_difference_sequence",
    "bootstrap_interval",
    "bradley_terry",
    "bradley_terry_estimate",
    "clopper_pearson_interval",
    "cluster_moments",
    "clustered_comparison",
    "clustered_margin_test",
    "cohen_kappa",
    "crossing_probabilities",
    "discordance_spread",
    "e_process_power",
    "e_process_replies",
    "equality_test",
    "expected_loss",
    "fieller_interval",
    "items_needed",
    "margin_test",
    "mcnemar",
    "mean_and_standard_error",
    "mean_interval",
    "minimum_detectable_effect",
    "minimum_detectable_paired_difference",
    "paired_difference",
    "paired_margin_test",
    "pass_at_k",
    "pass_hat_k",
    "power",
    "prediction_powered_difference",
    "prediction_powered_mean",
    "probability_best",
    "probability_ratio_above",
    "quantile_interval",
    "rate_difference_interval",
    "rate_ratio_interval",
    "ratio_of_totals",
    "reply_share_e_process",
    "resolution_ratio",
    "sample_ratio_mismatch",
    "sample_size",
    "sequential_inflation",
    "sequential_sample_ratio_mismatch",
    "spending_schedule",
    "stagewise_p_value",
    "stratified_difference_interval",
    "stratified_equality_test",
    "stratified_margin_test",
    "stratified_ratio_interval",
    "tango_interval",
    "tango_statistic",
    "variance_components",
    "wilson_interval",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{module}" for name, module in _MODULE_OF.items()})
