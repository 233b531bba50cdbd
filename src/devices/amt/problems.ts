import type { DeviceProblem } from '../device.ts'
import { connectionProblem, DeviceError } from '../device-error.ts'

/** What an error says of the device; `undefined` where it is nobody's fault but ours. */
export function problemOf(error: unknown): DeviceProblem | undefined {
  if (error instanceof DeviceError) return error.problem
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const detail = String(error.code)
  const kind = connectionProblem(detail)
  return kind && { kind, detail }
}

export function isUnreachable(error: unknown): boolean {
  return problemOf(error)?.kind === 'unreachable'
}
