import type { DeviceStageName } from '../../bmc/device-faults.ts'
import { isObject, linkUris } from '../../redfish/resource.ts'
import { referencePath } from '../../redfish/uris.ts'
import type { OnDevice } from '../device.ts'
import type { ActivationJob, Memo } from '../flasher.ts'
import { readItem } from './activation.ts'
import { type Connection, linkIn } from './connection.ts'
import { type Course, courseAt, follow, isOver, isWaiting, rankOf, verdictOf } from './course.ts'
import { itemOf } from './facts.ts'
import { readIfThere } from './reading.ts'
import { pushUris } from './sending.ts'

/** What is to be known of an update on a device after a restart of ours. */
export interface Kept {
  /** Before the device was sent an image: the tasks that it had then. */
  readonly tasks?: readonly string[]
  /** It has answered: where the update is seen, if anywhere. */
  readonly isAccepted?: true
  readonly path?: string | undefined
  /** Whether it fetches the image from us. */
  readonly isFetched?: boolean
  /** The resets that it was asked for. */
  readonly resets?: readonly string[]
}

/** How far a device has come, and where it is followed from there. */
export interface FoundOut {
  readonly at: DeviceStageName | 'nothing'
  readonly course?: Course
}

export function keptOf(memo: Memo): Kept {
  const text = memo.read()
  return text === undefined ? {} : (JSON.parse(text) as Kept) // as it was kept
}

export function keep(memo: Memo, kept: Kept): void {
  memo.write(JSON.stringify(kept))
}

/** The tasks that a device has. */
export async function tasksOf(connection: Connection): Promise<readonly string[]> {
  const service = linkIn(connection.root, 'Tasks')
  let next = service && linkIn(await readIfThere(connection, service), 'Tasks')
  const paths = new Set<string>()
  const pages = new Set<string>()
  while (next !== undefined && !pages.has(next)) {
    pages.add(next)
    const page = await readIfThere(connection, next)
    for (const uri of linkUris(page?.['Members'])) paths.add(referencePath(uri))
    const more = page?.['Members@odata.nextLink']
    next = typeof more === 'string' ? more : undefined
  }
  return [...paths]
}

/** What came of an update whose console ended in this stage: its task tells, else the inventory. */
export async function findOut(
  connection: Connection,
  job: ActivationJob & OnDevice,
  at: DeviceStageName,
): Promise<FoundOut> {
  const kept = keptOf(job.memo)
  const target = itemOf(job.firmware)
  // To activate it is to look by itself.
  if (at === 'activate') return { at }
  const { path } = kept
  if (path !== undefined) return knownAt(connection, target, { ...kept, at, path })
  if (at !== 'transfer' || kept.isAccepted === true) return { at: 'activate' }
  // Nothing was sent.
  if (kept.tasks === undefined) return { at: 'nothing' }
  const course = await newTask(connection, target, new Set(kept.tasks))
  if (course !== undefined && !isUnbegun(course)) {
    keep(job.memo, { isAccepted: true, path: course.seen.path })
    return { at: 'verify', course }
  }
  const item = await readItem(connection, target)
  const isAtIt = item !== undefined && (item.isBusy || item.conditions.length > 0)
  const isThrough = item?.version === job.version && job.component.now.version !== job.version
  return { at: isAtIt || isThrough ? 'activate' : 'nothing' }
}

async function knownAt(
  connection: Connection,
  target: string,
  { at, path, isFetched }: Kept & { readonly at: DeviceStageName; readonly path: string },
): Promise<FoundOut> {
  const course = await courseAt(connection, target, path)
  if (course.isGone) return { at: 'activate' }
  if (at !== 'transfer') return { at, course }
  if (isFetched !== true) return { at: 'verify', course }
  // It may have all of the image, or finds that nobody has it any more.
  const isThere = (one: Course): boolean => isOver(one) || isWaiting(one) || rankOf(one) > 1
  const settled = await follow(connection, course, { isThere, progress: () => {} })
  return isUnbegun(settled) ? { at: 'nothing' } : { at: 'verify', course: settled }
}

/** Whether it came to a bad end before anything was written. */
export function isUnbegun(course: Course): boolean {
  return isOver(course) && verdictOf(course) === 'bad' && rankOf(course) < 3
}

/** The task of an update that the device did not have before; one that goes on, if there is one. */
async function newTask(
  connection: Connection,
  target: string,
  before: ReadonlySet<string>,
): Promise<Course | undefined> {
  const wanted = await pushUris(connection)
  const ours: Course[] = []
  for (const path of await tasksOf(connection)) {
    if (before.has(path)) continue
    const course = await courseAt(connection, target, path)
    const payload = course.seen.answer.body['Payload']
    const from = isObject(payload) ? payload['TargetUri'] : undefined
    const isOurs = typeof from === 'string' ? wanted.has(referencePath(from)) : rankOf(course) > 0
    if (isOurs && !course.isGone) ours.push(course)
  }
  return ours.find((one) => !isOver(one)) ?? ours[0]
}
