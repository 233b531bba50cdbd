import type { DeviceProblem } from '../device.ts'

/** A problem on its way to where it becomes a value. */
export class AmtError extends Error {
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
  if (error instanceof AmtError) return error.problem
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const code = String(error.code)
  if (UNTRUSTED.test(code)) return { kind: 'untrusted', detail: code }
  return UNREACHABLE.test(code) ? { kind: 'unreachable', detail: code } : undefined
}

export function isUnreachable(error: unknown): boolean {
  return problemOf(error)?.kind === 'unreachable'
}
