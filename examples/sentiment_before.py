"""A sentiment analyzer bound to one vendor and one model."""

import asyncio

from openai import AsyncOpenAI


class SentimentAnalyzer:
    def __init__(self, openai_api_key: str, **settings: str) -> None:
        self.client = AsyncOpenAI(api_key=openai_api_key, **settings)

    async def analyze(self, text: str) -> str:
        response = await self.client.chat.completions.create(
            model="gpt-4",
            messages=[
                {"role": "system", "content": "Answer with one word: positive, neutral or negative."},
                {"role": "user", "content": text},
            ],
        )
        return str(response.choices[0].message.content)


if __name__ == "__main__":
    import os

    print(asyncio.run(SentimentAnalyzer(os.environ["OPENAI_API_KEY"]).analyze("Great, call me tomorrow.")))
