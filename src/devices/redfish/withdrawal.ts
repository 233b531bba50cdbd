import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { Seen } from '../../client/follow.ts'
import { isObject } from '../../redfish/resource.ts'
import type { OnDevice } from '../device.ts'
import type { ActivationJob } from '../flasher.ts'
import { type Connection, textIn } from './connection.ts'
import { type Course, courseAt, follow, isOver, isWaiting } from './course.ts'
import { itemOf } from './facts.ts'
import { findOut, type FoundOut, isUnbegun, keptOf } from './inquiry.ts'

/** The states in which nothing more comes of what somebody has stopped. */
const stopped = new Set(['Cancelled', 'Killed', 'Interrupted'])

/** Asks a device to let go of an update; how far it has come where it does not, and where it knows nothing of it any more. */
export async function withdraw(
  connection: Connection,
  job: ActivationJob & OnDevice,
  at: DeviceStageName,
): Promise<FoundOut> {
  const left = await leftAt(connection, job, at)
  const { course } = left
  if (course === undefined) return left
  if (isOver(course)) return isStopped(course) ? { at: 'nothing' } : left
  if (!(await cancel(connection, course.seen))) return left
  const isThere = (one: Course): boolean => isOver(one) || isWaiting(one)
  const after = await follow(connection, course, { isThere, progress: () => {} })
  const hasLetGo = isOver(after) && (after.isGone || isStopped(after))
  return hasLetGo ? { at: 'nothing' } : { at: left.at, course: after }
}

/** Cancels what a device is still at; false where it lets nobody. A job has an action for it since its schema has one. */
export async function cancel({ client }: Connection, { path, answer, isJob }: Seen): Promise<boolean> {
  if (path === undefined) return false
  const actions = answer.body['Actions']
  const offered = isJob && isObject(actions) ? actions['#Job.Cancel'] : undefined
  const target = isObject(offered) ? textIn(offered, 'target') : undefined
  const { status } = await (target === undefined ? client.delete(path) : client.post(target, {}))
  return status < 300
}

async function leftAt(
  connection: Connection,
  job: ActivationJob & OnDevice,
  at: DeviceStageName,
): Promise<FoundOut> {
  const { path } = keptOf(job.memo)
  if (path === undefined) return findOut(connection, job, at)
  const course = await courseAt(connection, itemOf(job.firmware), path)
  if (course.isGone) return { at: 'activate' }
  return { at: at === 'transfer' ? 'verify' : at, course }
}

/** Whether an update that is over was stopped, or came to its bad end before anything was written. */
function isStopped(course: Course): boolean {
  return stopped.has(course.seen.state ?? '') || isUnbegun(course)
}
