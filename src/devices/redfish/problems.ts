import { AwayError } from '../../client/errand.ts'
import { errorText } from '../../client/message-reading.ts'
import type { ClientAnswer } from '../../client/redfish-client.ts'
import type { DeviceProblem } from '../device.ts'

/** A problem on its way to where it becomes a value. */
export class DeviceError extends Error {
  readonly problem: DeviceProblem

  constructor(problem: DeviceProblem) {
    super(problem.detail)
    this.problem = problem
  }
}

/** What Node and OpenSSL say of a certificate that is not to be trusted. */
const UNTRUSTED = /^(CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_)/
/** Of a connection: it was not made, or lost, or what came over it was no HTTP. */
const UNREACHABLE = /^(E[A-Z]+|UND_ERR_.*|HPE_.*|ERR_SSL_.*|ERR_TLS_.*)$/

/** What an error says of the device; `undefined` where it is nobody's fault but ours. */
export function problemOf(error: unknown): DeviceProblem | undefined {
  if (error instanceof DeviceError) return error.problem
  if (error instanceof AwayError) return { kind: 'unreachable', detail: error.message }
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const code = String(error.code)
  // An AggregateError of several addresses has no message of its own.
  const detail = error.message === '' ? code : plain(error.message)
  if (UNTRUSTED.test(code)) return { kind: 'untrusted', detail: `${code}: ${detail}` }
  return UNREACHABLE.test(code) ? { kind: 'unreachable', detail } : undefined
}

/** Of OpenSSL’s errors, not the lines of its source. */
function plain(text: string): string {
  return text
    .replace(/^[\dA-F]{8,}:error:[\dA-F]*:/, '')
    .replace(/:?\S*\.c:\d+:\s*$/, '')
    .trim()
}

/** The problem that an answer is which nobody hoped for; `what` was asked for. */
export function answerProblem(what: string, { status, body }: ClientAnswer): DeviceProblem {
  const kind =
    status === 401 || status === 403 ? 'unauthorized' : status === 503 || status === 429 ? 'busy' : 'failed'
  return { kind, detail: `${what}: ${errorText(status, body)}` }
}
