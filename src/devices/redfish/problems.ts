import { AwayError } from '../../client/errand.ts'
import { errorText } from '../../client/message-reading.ts'
import type { ClientAnswer } from '../../client/redfish-client.ts'
import type { DeviceProblem } from '../device.ts'
import { connectionProblem, DeviceError } from '../device-error.ts'

/** What an error says of the device; `undefined` where it is nobody's fault but ours. */
export function problemOf(error: unknown): DeviceProblem | undefined {
  if (error instanceof DeviceError) return error.problem
  if (error instanceof AwayError) return { kind: 'unreachable', detail: error.message }
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const code = String(error.code)
  if (code === 'ERR_INVALID_URL') return { kind: 'unsupported', detail: 'it links to what is no URI' }
  // An AggregateError of several addresses has no message of its own.
  const detail = error.message === '' ? code : plain(error.message)
  const kind = connectionProblem(code)
  return kind && { kind, detail: kind === 'untrusted' ? `${code}: ${detail}` : detail }
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
