import { type Bmc, type Component, findComponent } from '../bmc/bmc.ts'
import { isChoice, stateAtRest, takenOver } from '../bmc/banks.ts'
import { remembered } from '../bmc/history.ts'
import type { Change, ComponentState, HistoryEntry, PendingImage, StandbyImage } from '../bmc/state.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import { raisedFloors, securityVersionOf } from './floors.ts'

type ComponentChange = Pick<Change, 'components'>

/** The component is being worked on; while it is written, its second bank holds nothing any more. */
export function updating(bmc: Bmc, component: Component, isWritten = false): ComponentChange {
  const isOverwritten = isWritten && component.behaviour.spare === 'bank'
  const emptied = isOverwritten && { standby: [], pending: undefined }
  return changed(bmc, component, { state: 'Updating', ...emptied })
}

/** Installed, and waiting for the reset that activates it. */
export function parked(bmc: Bmc, component: Component, pending: PendingImage): ComponentChange {
  const { boot } = stateOf(bmc, component)
  // What was asked for last counts: where another bank was to boot, the new image is.
  const boots = boot && { boot: { running: boot.running, next: 'primary' } as const }
  return changed(bmc, component, { ...atRest(bmc, component), ...boots, pending })
}

/** Installed beside the image that runs, to be activated by a client. */
export function staged(bmc: Bmc, component: Component, image: StandbyImage): ComponentChange {
  // One place: what waited there, or ran before, is written over.
  const isOverwritten = isChoice(stateOf(bmc, component))
  const others = isOverwritten && { pending: undefined }
  return changed(bmc, component, { ...atRest(bmc, component), ...others, standby: [image] })
}

/** The new image runs: version, date, size and status change at once, and history and audit log tell of it. */
export function activated(bmc: Bmc, component: Component, image: HistoryEntry): Change {
  const now = stateOf(bmc, component)
  const running = changed(bmc, component, {
    ...atRest(bmc, component),
    health: 'OK',
    version: image.version,
    releaseDate: image.releaseDate,
    // Of what stood by nobody may have known it.
    sizeBytes: image.sizeBytes === 0 ? undefined : image.sizeBytes,
    sha256: image.sha256,
    signer: image.signer,
    ...raisedFloors(component, now, image),
    comparisonStamp: image.comparisonStamp,
    pending: undefined,
    standby: component.behaviour.spare === 'bank' ? [previousOf(bmc, component, now, image)] : [],
  })
  return { ...running, ...remembered(bmc, component, { ...image, replaced: now.version }) }
}

/** The new image does not boot: its component needs attention, and where a manager has another one, that runs. */
export function failedActivation(bmc: Bmc, component: Component): Change {
  return takenOver(bmc, component, failedUpdate(bmc, component, true).components ?? [])
}

/** The old image still runs; one that failed while it was written runs no more, and its component needs attention. */
export function failedUpdate(bmc: Bmc, component: Component, isDamaged: boolean): ComponentChange {
  return changed(bmc, component, { ...atRest(bmc, component), ...(isDamaged && damaged(component)) })
}

/** What a component is reduced to whose flash holds half an image. */
function damaged({ behaviour: { spare, recovery } }: Component): Partial<ComponentState> {
  // The bank that runs was not written to; the other holds nothing any more.
  if (spare === 'bank') return { pending: undefined, standby: [] }
  const { version } = recovery ?? {}
  return version === undefined
    ? { health: 'Critical', pending: undefined }
    : {
        health: 'Warning',
        version,
        releaseDate: undefined,
        sizeBytes: undefined,
        sha256: undefined,
        signer: undefined,
        comparisonStamp: undefined,
        pending: undefined,
      }
}

/** What waited for its reset waits no more. */
export function disarmed(bmc: Bmc, component: Component): ComponentChange {
  const { boot } = stateOf(bmc, component)
  const stays = boot && { boot: { running: boot.running, next: boot.running } }
  return changed(bmc, component, { ...atRest(bmc, component), ...stays, pending: undefined })
}

/** The component without an image that stood by; if it was to be activated, it no longer is. */
export function withoutStandby(bmc: Bmc, component: Component, id: string): ComponentChange {
  const now = stateOf(bmc, component)
  const standby = (now.standby ?? []).filter((one) => one.id !== id)
  const isDisarmed = isChoice(now) && !isChoice({ ...now, standby })
  return changed(bmc, component, { standby, ...(isDisarmed && { pending: undefined }) })
}

/** An image as it waits on its device; `about` tells when it was installed, by whom, and who vouched for it. */
export function pendingImage(
  image: ImageComponent,
  about: Pick<PendingImage, 'since' | 'cause' | 'signer' | 'reset'>,
): PendingImage {
  const { version, releaseDate, sizeBytes, sha256, securityVersion, lowestVersion, comparisonStamp } = image
  const facts = { version, releaseDate, sizeBytes, sha256, securityVersion, lowestVersion, comparisonStamp }
  return { image: imageName(image), ...facts, ...about }
}

/** The Id of the inventory item that shows an image beside the one that runs: `BIOS-1.6.0`. */
export function standbyId({ id }: Component, version: string): string {
  return `${id}-${version.replace(/[^\w.-]+/g, '_')}`
}

/** What ran until now, as it stays in the second bank. */
function previousOf(bmc: Bmc, component: Component, now: ComponentState, next: PendingImage): StandbyImage {
  const last = bmc.state.history.get(component.id)?.at(-1)
  return {
    id: standbyId(component, now.version),
    kind: 'previous',
    image: last?.image ?? `${component.id} ${now.version}`,
    version: now.version,
    releaseDate: now.releaseDate,
    sizeBytes: now.sizeBytes ?? 0,
    sha256: now.sha256,
    signer: now.signer,
    comparisonStamp: now.comparisonStamp,
    securityVersion: securityVersionOf(component, now),
    since: next.since,
    cause: next.cause,
  }
}

/** `Enabled`, or `StandbySpare` for the one of a pair that does not run. */
function atRest(bmc: Bmc, component: Component): Pick<ComponentState, 'state'> {
  return { state: stateAtRest(bmc, component) }
}

/** Whatever the component has become since somebody last looked at it. */
function stateOf(bmc: Bmc, { id, now }: Component): ComponentState {
  return findComponent(bmc, id)?.now ?? now
}

function changed(bmc: Bmc, component: Component, members: Partial<ComponentState>): ComponentChange {
  // Of a device that was detached meanwhile nothing is kept.
  if (component.on !== undefined && !bmc.state.devices.has(component.on.device)) return {}
  return { components: [[component.id, { ...stateOf(bmc, component), ...members }]] }
}
