"""A submission server on loopback that insists on STARTTLS and on a login, made of aiosmtpd.

Arguments: certificate, key, user, password. Prints its port, then a line for each Message-ID it accepted.
"""

import asyncio
import email
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

certificate, key, user, password = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        print(email.message_from_bytes(envelope.content)["Message-ID"], flush=True)
        return "250 2.0.0 kept"


def authenticate(server, session, envelope, mechanism, data):
    fits = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=fits, handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def protocol():
        return SMTP(
            Handler(),
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
