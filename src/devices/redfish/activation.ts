import { patientGet, patientPost, pause } from '../../client/errand.ts'
import { type Seen, seenIn } from '../../client/follow.ts'
import { type ReadMessage, readMessages } from '../../client/message-reading.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import type { FirmwareFacts } from '../device.ts'
import { type Connection, pathOf, textIn } from './connection.ts'
import { type Course, follow, isOver, isWaiting } from './course.ts'
import { findParts } from './facts.ts'
import { readItems } from './reading.ts'
import { performReset, resetAction, type ResetAsk } from './resets.ts'
import { RefusalError } from './sending.ts'
import { activateAction, standbyFor } from './standby.ts'
import { ownVersion } from './without-inventory.ts'

export interface Activating {
  readonly firmware: FirmwareFacts
  readonly target: string
  /** Of the image. */
  readonly version: string
  readonly progress: (share: number) => void
  /** The resets that were performed for it before, by another life of ours too. */
  readonly resets: readonly string[]
  /** Told of each that is performed now. */
  readonly performed: (reset: string) => void
}

/** How an update ended, as far as is known. */
export interface Ending {
  /** That it was a success, or only that it is over, or not even that. */
  readonly told: 'success' | 'end' | 'nothing'
  /** Whether what it asked for was done. */
  readonly wasReset: boolean
}

/** What an inventory item says. */
interface Item {
  readonly version: string
  /** What it tells of an image that waits; not every service does. */
  readonly conditions: readonly ReadMessage[]
  readonly isBusy: boolean
  readonly needsReset: boolean
}

/** A reset of what the firmware is of, which the device did not name. */
const OWNER = 'owner'

/** Sees an update to its end, and performs the resets that it asks for on the way. */
export async function seeThrough(
  connection: Connection,
  from: Course,
  activating: Activating,
): Promise<{ readonly course: Course; readonly wasReset: boolean }> {
  const { progress, resets } = activating
  const done = new Map<string, number>()
  for (const key of resets) done.set(key, (done.get(key) ?? 0) + 1)
  let isLeftToUs = done.has(OWNER)
  for (let course = from; ;) {
    const asked = (one: Course): ResetAsk[] => (isWaiting(one) ? asksOf(one, done) : [])
    const isStuck = (one: Course): boolean => one.seen.state === 'UserIntervention' && !isLeftToUs
    const isThere = (one: Course): boolean =>
      isOver(one) || asked(one).length > 0 || (isStuck(one) && done.size === 0)
    course = await follow(connection, course, { isThere, progress })
    const asks = asked(course)
    if (asks.length === 0 && isOver(course)) return { course, wasReset: done.size > 0 || isLeftToUs }
    // It wants somebody to act, and does not say how.
    if (asks.length === 0) {
      isLeftToUs = true
      await resetOwner(connection, activating)
    }
    for (const ask of asks) {
      done.set(keyOf(ask), (done.get(keyOf(ask)) ?? 0) + 1)
      await performReset(connection, ask, () => activating.performed(keyOf(ask)))
    }
    if (isOver(course)) return { course, wasReset: true }
  }
}

/**
 * The resets that were asked for more often than they were performed: a task may ask for the same one twice, and its
 * parts repeat what it says. A manager's first: it interrupts what any other reset had set in motion.
 */
function asksOf({ seen, parts }: Course, done: ReadonlyMap<string, number>): ResetAsk[] {
  const wanted = new Map<string, { readonly ask: ResetAsk; readonly count: number }>()
  for (const messages of [seen.messages, ...[...parts.values()].map((part) => part.messages)]) {
    const counts = Map.groupBy(resetsIn(messages), keyOf)
    for (const [key, [ask, ...more]] of counts) {
      const count = Math.max(more.length + 1, wanted.get(key)?.count ?? 0)
      if (ask !== undefined) wanted.set(key, { ask, count })
    }
  }
  const open = [...wanted].filter(([key, { count }]) => count > (done.get(key) ?? 0))
  return open.map(([, { ask }]) => ask).toSorted((a, b) => Number(isOfManager(b)) - Number(isOfManager(a)))
}

function resetsIn(messages: readonly ReadMessage[]): ResetAsk[] {
  return messages
    .filter(({ key, args: [action = ''] }) => key === 'ResetRequired' && action !== '')
    .map(({ args: [action = '', type = ''] }) => ({ action, type }))
}

function keyOf({ action, type }: ResetAsk): string {
  return `${action} ${type}`
}

function isOfManager({ action }: ResetAsk): boolean {
  return action.endsWith('Manager.Reset')
}

/** The gentlest reset of what the firmware is of; a chassis’ devices begin anew with the system. */
async function resetOwner(connection: Connection, { firmware, performed }: Activating): Promise<void> {
  const { system, manager } = await findParts(connection)
  const owner = firmware.of === 'manager' ? manager : system
  const action = textIn(resetAction(owner), 'target')
  if (action !== undefined) await performReset(connection, { action, type: '' }, () => performed(OWNER))
}

/**
 * The version that runs once nothing is under way any more. Where an image still waits although nobody asked for
 * anything, what it waits for is done, once.
 */
export async function settle(
  connection: Connection,
  activating: Activating,
  ending: Ending,
): Promise<string> {
  const { clock, patience, errand } = connection
  const { version: wanted, target, firmware } = activating
  let { wasReset } = ending
  let hasWaited = false
  for (const since = clock.now(); ;) {
    const item = await readItem(connection, target)
    const waits = item !== undefined && item.conditions.length > 0
    const isAtRest = item !== undefined && !waits && !item.isBusy
    // Of some images only the device knows the version: another one than before is the new one.
    const isNew = wanted === '' ? item?.version !== firmware.version : item?.version === wanted
    const isThrough = isNew || hasWaited || ending.told === 'success'
    if (isAtRest && isThrough) return item.version
    const asks = resetsIn(item?.conditions ?? [])
    const isDue = asks.length > 0 || (ending.told === 'end' && isAtRest && item.needsReset)
    if (isDue && !wasReset) {
      wasReset = true
      for (const ask of asks) await performReset(connection, ask, () => activating.performed(keyOf(ask)))
      if (asks.length === 0) await resetOwner(connection, activating)
    }
    hasWaited ||= waits
    if (clock.now() - since >= patience.versionMs) return item?.version ?? ''
    await pause(errand)
  }
}

/** Begins to activate the image of this version that stands by for an item; `undefined`: there is none, or no need. */
export async function beginActivation(
  connection: Connection,
  { target, version }: { readonly target: string; readonly version: string },
): Promise<Seen | undefined> {
  const now = await readItem(connection, target)
  // What the device is at already is followed, and not begun again.
  if (now === undefined || now.version === version || now.isBusy || now.conditions.length > 0)
    return undefined
  const items = await readItems(connection)
  const item = items.find((one) => pathOf(one) === target)
  const images = item === undefined ? [] : standbyFor(items, item)
  const action = activateAction(images.find((one) => textIn(one, 'Version') === version))
  const answer = action === undefined ? 'lost' : await patientPost(connection.errand, action, {})
  if (answer === 'lost') return undefined
  if (answer.status >= 300) throw new RefusalError(answer)
  return seenIn(answer)
}

/** `undefined` where it is not there, as while a device gathers what it has. */
export async function readItem({ errand }: Connection, target: string): Promise<Item | undefined> {
  const { status, body } = await patientGet(errand, target)
  if (status !== 200) return undefined
  const statusOf: JsonObject = isObject(body['Status']) ? body['Status'] : {}
  const own = ownVersion(body)
  return {
    version: own ?? textIn(body, 'Version') ?? '',
    // Those of a system, or a manager, are of anything.
    conditions: own === undefined ? readMessages({ Messages: statusOf['Conditions'] ?? [] }) : [],
    isBusy: statusOf['State'] === 'Updating',
    needsReset: body['ResetRequiredOnUpdate'] === true,
  }
}
