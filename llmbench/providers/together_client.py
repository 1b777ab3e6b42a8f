"""Together's SDK for everything but chat completions: its client, and the upload of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmbench.errors import BadResponseError, ProviderError, ServerError
from llmbench.providers.sdk_chat import SdkChat

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["open_client", "response_type", "upload"]


async def open_client(chat: SdkChat) -> Any:
    """The SDK's client for everything but chat completions."""
    # Chat completions have an address of their own at Together; everything else is at this one.
    return (await chat.client()).with_options(base_url=chat.base_url)


def response_type() -> type:
    """What the SDK gives for a request that it has no method for."""
    import httpx

    return httpx.Response


async def upload(
    provider: BaseLLMProvider, chat: SdkChat, client: Any, path: Path, purpose: str = "fine-tune"
) -> str:
    """Give Together a file; its id there. The SDK sends the content to a storage that Together names,
    without the key.
    """
    import together

    failure: ProviderError
    try:
        # The file has been checked; the SDK's own check needs packages of its own.
        return str((await client.files.upload(path, purpose=purpose, check=False)).id)
    except together.APIStatusError as error:
        if error.request.url.host == urlsplit(chat.base_url).hostname:
            raise
        failure = ServerError(
            f"The storage at {error.request.url.host} that {provider.endpoint} names for uploads refused "
            f"the file {path.name} (status {error.status_code}); try again later.",
            provider=provider.name,
            status_code=error.status_code,
        )
    except OSError:
        raise
    except chat.foreign:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's uploads raise asserts, ValueError and plain Exception
        failure = BadResponseError(
            f"{provider.endpoint} at {chat.base_url} did not take the file {path.name} as its SDK "
            f"expects ({type(error).__name__}); check base_url and the file.",
            provider=provider.name,
        )
    raise failure
