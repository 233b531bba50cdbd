import { isObject } from '../redfish/resource.ts'
import { type Errand, PATIENCE_MS, patientGet, pause } from './errand.ts'
import { errorText } from './message-reading.ts'

/** What the inventory says of a component. */
interface Sight {
  readonly version: string
  /** Whether it says that an image waits (Status.Conditions), which not every service does. */
  readonly isWaiting: boolean
  readonly isBusy: boolean
  readonly isBroken: boolean
}
export type Sights = ReadonlyMap<string, Sight>

export async function lookAt(errand: Errand, targets: readonly string[]): Promise<Sights> {
  const sights = new Map<string, Sight>()
  for (const target of targets) sights.set(target, await look(errand, target))
  return sights
}

/** Waits until each component runs something new; false where one that nothing waits for any more does not. */
export async function awaitVersions(errand: Errand, before: Sights, isForced: boolean): Promise<boolean> {
  const open = new Map(before)
  const since = errand.clock.now()
  let isGood = true
  while (open.size > 0) {
    await pause(errand)
    for (const [target, old] of open) {
      const now = await look(errand, target)
      const isThrough = old.isWaiting && !now.isWaiting && !now.isBusy
      // One that was broken before waits to be saved.
      const isBroken = now.isBroken && (isThrough || !old.isBroken)
      if (now.version === old.version && !isThrough && !isBroken) continue
      // Who forces an update may install the version that runs.
      if (isBroken || (now.version === old.version && !isForced)) isGood = false
      errand.watcher.waiting(`${target} is at ${now.version}`)
      open.delete(target)
    }
    if (open.size > 0 && errand.clock.now() - since >= PATIENCE_MS)
      throw new Error(`${[...open.keys()].join(', ')} came to no other version`)
  }
  return isGood
}

async function look(errand: Errand, target: string): Promise<Sight> {
  const { status, body } = await patientGet(errand, target)
  if (status !== 200) throw new Error(`GET ${target}: ${errorText(status, body)}`)
  const { State, Health, Conditions } = isObject(body['Status']) ? body['Status'] : {}
  return {
    version: typeof body['Version'] === 'string' ? body['Version'] : '',
    isWaiting: Array.isArray(Conditions) && Conditions.length > 0,
    isBusy: State === 'Updating',
    isBroken: typeof Health === 'string' && Health !== 'OK' && State !== 'Updating',
  }
}
