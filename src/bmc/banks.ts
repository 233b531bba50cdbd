import { isDeepStrictEqual } from 'node:util'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { type Bmc, type Component, findComponent } from './bmc.ts'
import { deviceUris } from './device-documents.ts'
import type {
  Bank,
  Boot,
  Cause,
  Change,
  ComponentState,
  Entries,
  Notice,
  PendingImage,
  StandbyImage,
} from './state.ts'

/** A component, and the one that runs when it does not boot. */
type Pair = Readonly<Record<Bank, Component>>

/** An image that a manager can run: what is on a component, or what stands by on it. */
export interface ManagerImage {
  readonly uri: string
  /** How messages name it. */
  readonly image: string
  readonly version: string
  readonly component: Component
  readonly standby: StandbyImage | undefined
}

/** What changes, and what is told of it. */
type Told = Required<Pick<Change, 'components' | 'notices'>>

const ordinary: Boot = { running: 'primary', next: 'primary' }
const others: Readonly<Record<Bank, Bank>> = { primary: 'backup', backup: 'primary' }

/** The images that a manager has (Manager.Links.SoftwareImages), those of its pair first. */
export function imagesOf(bmc: Bmc, manager: string): readonly ManagerImage[] {
  const components = banksOf(bmc, manager)
  const own = components.map((component): ManagerImage => {
    const { id, uri, now } = component
    return { uri, image: `${id} ${now.version}`, version: now.version, component, standby: undefined }
  })
  const beside = components.flatMap((component) =>
    (component.now.standby ?? []).map((standby): ManagerImage => {
      const { id, image, version } = standby
      return { uri: uris.firmware(id), image, version, component, standby }
    }),
  )
  return [...own, ...beside]
}

/** The image that a manager runs (Manager.Links.ActiveSoftwareImage). */
export function activeImage(bmc: Bmc, manager: string): ManagerImage | undefined {
  return imagesOf(bmc, manager).find(
    ({ component, standby }) => standby === undefined && isActive(bmc, component.id) !== false,
  )
}

/** Whether a component of a pair is the one that runs; `undefined` of any other. */
export function isActive(bmc: Bmc, id: string): boolean | undefined {
  const pair = pairOf(bmc, id)
  return pair && pair[bootOf(pair).running].id === id
}

/** The state of a component that nothing happens to; a pair that changed places has changed states. */
export function stateAtRest(bmc: Bmc, { id, factory }: Component): string {
  const pair = pairOf(bmc, id)
  if (pair === undefined || bootOf(pair).running === 'primary') return factory.state
  return pair[others[bankOf(pair, id)]].factory.state
}

/** The resources that show a component's version, or would if it ran: both of a pair have the same. */
export function shownAt(bmc: Bmc, id: string): string[] {
  const { components, shown } = bmc.machine
  const named = pairOf(bmc, id)?.primary.id ?? id
  const device = components.get(named)?.on?.device
  // A managed device shows its own: nobody looks at thousands of others.
  const where = device === undefined ? [...shown.keys()] : deviceUris(device)
  return where.filter((uri) => shown.get(uri)?.some(({ component }) => component === named))
}

/** What a client's choice changes: the image boots at the next reset of its manager; nothing where it would anyway. */
export function chosen(
  bmc: Bmc,
  manager: string,
  image: ManagerImage,
  { since, cause }: { readonly since: number; readonly cause: Cause },
): Entries<ComponentState> {
  return banksOf(bmc, manager).flatMap((component) => {
    const { id, now } = component
    const pair = pairOf(bmc, id)
    // What a client chose before is chosen no more; what an update installed goes on waiting.
    const waiting = isChoice(now) ? undefined : now.pending
    const isIt = image.standby !== undefined && image.component.id === id
    const isSame = isIt && now.pending !== undefined && isImage(now.pending, image.standby)
    const pending = !isIt ? waiting : isSame ? now.pending : { ...image.standby, since, cause }
    const isPrimary = pair?.primary.id === id
    const boot = isPrimary ? booting(bootOf(pair).running, bankOf(pair, image.component.id)) : now.boot
    const isChange = !isDeepStrictEqual([pending, boot], [now.pending, now.boot])
    return isChange ? [[id, { ...now, pending, boot }] as const] : []
  })
}

/** Of the images that stand by, an image that waits was chosen by a client: no update installed it. */
export function isChoice({ pending, standby = [] }: ComponentState): boolean {
  return pending !== undefined && standby.some((one) => isImage(pending, one))
}

/** What the boot of a manager makes of its pair: the one that is to boot runs, or the other where that cannot. */
export function booted(bmc: Bmc, manager: string): Told {
  const [first] = banksOf(bmc, manager)
  const pair = first && pairOf(bmc, first.id)
  if (pair === undefined) return { components: [], notices: [] }
  const { running, next } = bootOf(pair)
  const fails = isBroken(pair[next].now) && !isBroken(pair[others[next]].now)
  const runs = fails ? others[next] : next
  const isSettled = running === runs && next === runs
  return { components: isSettled ? [] : placed(pair, runs), notices: fails ? [switched(manager)] : [] }
}

/** What follows where an image did not boot, which `failed` tells: the other bank of its manager runs. */
export function takenOver(bmc: Bmc, { id, behaviour }: Component, failed: Entries<ComponentState>): Told {
  const pair = pairOf(bmc, id)
  const manager = managerOf(bmc, pair?.primary.id ?? id)
  if (manager === undefined) return { components: failed, notices: [] }
  const notices = [switched(manager)]
  // The bank that ran was not written to, and goes on.
  if (pair === undefined) return { components: failed, notices: behaviour.spare === 'bank' ? notices : [] }
  const bank = bankOf(pair, id)
  const other = others[bank]
  const state = new Map(failed).get(id)
  const isTried = bootOf(pair).next === bank && state !== undefined && isBroken(state)
  if (!isTried || isBroken(pair[other].now)) return { components: failed, notices: [] }
  return { components: placed(pair, other, failed), notices }
}

/** The change that makes one of a pair run, on top of what else changes about both. */
function placed(pair: Pair, running: Bank, also: Entries<ComponentState> = []): Entries<ComponentState> {
  const changed = new Map(also)
  const stateOf = (bank: Bank): ComponentState => {
    const { id, now } = pair[bank]
    const state = changed.get(id) ?? now
    const place = running === 'primary' ? bank : others[bank]
    // One that is being worked on comes to rest by itself.
    return state.state === 'Updating' ? state : { ...state, state: pair[place].factory.state }
  }
  return [
    [pair.primary.id, { ...stateOf('primary'), boot: booting(running, running) }],
    [pair.backup.id, stateOf('backup')],
  ]
}

/** The components that a manager can boot from: the one whose version it shows, and the backup of that. */
function banksOf(bmc: Bmc, manager: string): readonly Component[] {
  const places = bmc.machine.shown.get(manager) ?? []
  const place = places.find(({ pointer }) => pointer === '/FirmwareVersion')
  const component = findComponent(bmc, place?.component ?? '')
  // What another reset brings into use, or none, no boot of this manager chooses.
  if (component?.behaviour.reset?.resource !== manager) return []
  const pair = pairOf(bmc, component.id)
  return pair === undefined ? [component] : [pair.primary, pair.backup]
}

function managerOf(bmc: Bmc, id: string): string | undefined {
  return [...bmc.machine.shown.keys()].find((uri) => banksOf(bmc, uri)[0]?.id === id)
}

/** The pair that a component belongs to. */
function pairOf(bmc: Bmc, id: string): Pair | undefined {
  const { components } = bmc.machine
  // A managed device boots as it likes; a console has thousands of them.
  if (components.get(id)?.on !== undefined) return undefined
  const found = [...components.values()].find(
    ({ id: own, behaviour: { backup } }) => backup !== undefined && (own === id || backup === id),
  )
  const primary = found && findComponent(bmc, found.id)
  const backup = findComponent(bmc, found?.behaviour.backup ?? '')
  return primary && backup && { primary, backup }
}

function bankOf({ primary }: Pair, id: string): Bank {
  return primary.id === id ? 'primary' : 'backup'
}

function bootOf({ primary }: Pair): Boot {
  return primary.now.boot ?? ordinary
}

/** `undefined`: as it left the factory. */
function booting(running: Bank, next: Bank): Boot | undefined {
  return running === 'primary' && next === 'primary' ? undefined : { running, next }
}

/** Whether half an image is all that is there. */
function isBroken({ health }: ComponentState): boolean {
  return health === 'Critical'
}

function isImage(one: PendingImage, other: PendingImage): boolean {
  return one.version === other.version && one.sha256 === other.sha256
}

function switched(manager: string): Notice {
  return { message: message('ManagerEvent.ManagerSwitchedToBackupSoftwareImage', manager), origin: manager }
}
