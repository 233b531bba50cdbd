import type { Task } from '../../bmc/state.ts'
import type { Result } from '../../lib/result.ts'
import { busy } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { StartProblem } from '../../update/updates.ts'

/** Seconds after which a client may try again what somebody else keeps it from. */
export const BUSY_RETRY_S = 5

/** The task of an operation that started. Throws a RedfishError where it could not. */
export function started(result: Result<Task, StartProblem>): Task {
  if (result.ok) return result.value
  switch (result.problem.kind) {
    case 'targets-busy':
      throw busy(BUSY_RETRY_S, message('Base.ResourceInUse'))
    case 'no-room':
      throw busy(BUSY_RETRY_S, message('Base.ResourceExhaustion', uris.tasks))
  }
}
