"""The same analyzer over a router: the cheapest of the models at hand, and another if that one fails."""

import asyncio

from llmbench import ModelRouter, RoutingStrategy


class SentimentAnalyzer:
    def __init__(self, router: ModelRouter) -> None:
        self.router = router

    async def analyze(self, text: str) -> str:
        response = await self.router.route(
            messages=[
                {"role": "system", "content": "Answer with one word: positive, neutral or negative."},
                {"role": "user", "content": text},
            ],
            task_type="sentiment",
            strategy=RoutingStrategy.CHEAPEST,
        )
        return response.content


if __name__ == "__main__":
    print(asyncio.run(SentimentAnalyzer(ModelRouter()).analyze("Great, call me tomorrow.")))
