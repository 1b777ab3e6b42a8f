"""Messages for leads: short ones to Mixtral, long ones to GPT-4o, or 80% to Llama and the rest to GPT-4o."""

import asyncio

from llmbench import LLMResponse, ModelRouter


class PersonalizerAgent:
    def __init__(self, router: ModelRouter) -> None:
        self.router = router

    async def write(self, message: str) -> LLMResponse:
        """By length, as in phase 3 of the migration."""
        return await self.router.route(
            messages=[{"role": "user", "content": message}],
            task_type="simple" if len(message) < 500 else "complex",
        )

    async def personalize(self, lead_id: str, message: str) -> LLMResponse:
        """By share: the rule "personalization" of the table. A lead stays with its model."""
        return await self.router.route(
            messages=[{"role": "user", "content": message}],
            task_type="personalization",
            unit_id=lead_id,
        )


if __name__ == "__main__":
    agent = PersonalizerAgent(ModelRouter())
    answer = asyncio.run(agent.personalize("lead-17", "Write a cold email to a VP of Sales in SaaS."))
    print(answer.metadata["route"]["chosen"], answer.content, sep="\n")
