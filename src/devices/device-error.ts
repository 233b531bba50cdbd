import { fail, type Result, succeed } from '../lib/result.ts'
import type { DeviceProblem } from './device.ts'

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

/** What the code of an error says of a connection; `undefined` where it is nobody's fault but ours. */
export function connectionProblem(code: string): 'untrusted' | 'unreachable' | undefined {
  if (UNTRUSTED.test(code)) return 'untrusted'
  return UNREACHABLE.test(code) ? 'unreachable' : undefined
}

/**
 * Makes what turns work into what came of it, or the problem with the device, as `problemOf` tells it; that rejects with
 * the signal's reason when aborted.
 */
export function resultsBy(problemOf: (error: unknown) => DeviceProblem | undefined) {
  return async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<Result<T, DeviceProblem>> => {
    try {
      return succeed(await work())
    } catch (error) {
      signal.throwIfAborted()
      const problem = problemOf(error)
      if (problem === undefined) throw error
      return fail(problem)
    }
  }
}
