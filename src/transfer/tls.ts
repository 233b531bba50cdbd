import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { isIP, type Socket } from 'node:net'
import { FetchError, type FetchProblem, type Identity } from './fetcher.ts'

/** What an alert says of the certificate that we presented, or should have. */
const REFUSES_US = /^ERR_SSL_.*ALERT_(NO_|BAD_|UNSUPPORTED_)?(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/

/** How a server of this name or address is spoken to in TLS: what it must show, and what we show. */
export function tlsOptions(identity: Identity, host: string): ConnectionOptions {
  const { trustedCertificates, clientCertificate } = identity
  return {
    host,
    // RFC 6066 §3: an address is no server name. It is still what the certificate has to be for.
    servername: isIP(host) === 0 ? host : '',
    rejectUnauthorized: trustedCertificates !== undefined,
    // A certificate that is trusted itself need not be one that signs.
    ...(trustedCertificates && { ca: [...trustedCertificates], allowPartialTrustChain: true }),
    ...(clientCertificate && { cert: clientCertificate.certificate, key: clientCertificate.privateKey }),
  }
}

/** Speaks TLS on a connection. It resolves when the server has been found right, before anything else is sent. */
export async function secure(
  socket: Socket,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const abort = (): void => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const secured = connect({ ...options, socket })
    secured.on('error', (error) => reject(new FetchError(tlsProblem(error, secured))))
    secured.once('secureConnect', () => resolve(secured))
    return await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Why a server and we do not come together in TLS. */
export function tlsProblem(error: Error, secured?: TLSSocket): FetchProblem {
  const code = 'code' in error ? String(error.code) : ''
  // Node's types call it an error, it is a code.
  if (secured?.authorizationError) return { kind: 'untrusted', detail: String(secured.authorizationError) }
  if (isRefusal(error)) return { kind: 'unauthorized', detail: code }
  return code.includes('_ALERT_') ? { kind: 'no-connection', detail: code } : { kind: 'wrong-protocol' }
}

/** Whether a server says that it wants another certificate of us; it may do so after the handshake (TLS 1.3). */
export function isRefusal(error: Error): boolean {
  return 'code' in error && REFUSES_US.test(String(error.code))
}
