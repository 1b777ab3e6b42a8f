"""90% of the leads to Mixtral, 10% to GPT-4o; replies are counted by the model a lead was assigned."""

import asyncio
from collections import Counter

from llmbench import Experiment, Ledger, ModelRouter, RoutingStrategy

EXPERIMENT = Experiment("cold-email", arms={"mixtral/mixtral-8x7b": 0.9, "openai/gpt-4o": 0.1})


async def send(router: ModelRouter, leads: list[str]) -> None:
    for lead in leads:
        message = {"role": "user", "content": f"Write a cold email to {lead}."}
        await router.route([message], strategy=RoutingStrategy.AB_TEST, unit_id=lead)


def reply_rates(ledger: Ledger) -> dict[str, float]:
    sent: Counter[str] = Counter()
    replied: Counter[str] = Counter()
    for outcome in ledger.outcomes(EXPERIMENT.id, window_days=14):
        sent[outcome.metadata["model"]] += 1
        replied[outcome.metadata["model"]] += outcome.replied
    return {model: replied[model] / units for model, units in sent.items()}


if __name__ == "__main__":
    with Ledger() as ledger:
        router = ModelRouter(["openai", "mixtral"], experiment=EXPERIMENT, ledger=ledger)
        asyncio.run(send(router, ["lead-1", "lead-2", "lead-3"]))
        ledger.record_outcome("lead-2", replied=True)  # when the reply comes, from whatever process
        print(reply_rates(ledger))
