import { findComponent } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { DeviceStageName } from '../bmc/device-faults.ts'
import { logged } from '../bmc/log.ts'
import { gentlestType } from '../bmc/reset-types.ts'
import type { Change, PendingImage, ResetNeed, StandbyImage } from '../bmc/state.ts'
import type { FlashJob, FlashResult } from '../devices/flasher.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import { unlessAborted } from '../lib/abort.ts'
import type { ApplyTime } from '../redfish/apply-times.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Ending } from '../tasks/work.ts'
import { type Opening, openerOf, resetsOf } from './apply-time.ts'
import { bringIntoUse, isStillAtIt, takeUpActivation } from './bring-into-use.ts'
import { failedUpdate, pendingImage, staged, standbyId, updating } from './component-changes.ts'
import { over, reached, reachedBy } from './record.ts'
import { resetFor } from './reset-need.ts'
import { install } from './stages/install.ts'
import type { DeviceStage } from './stages/stage.ts'
import { transferToDevice } from './stages/transfer-to-device.ts'
import { verifyOnDevice } from './stages/verify-on-device.ts'
import { conclude, deviceJob, type DeviceWork, percentOf, resetRequired, withLog } from './workshop.ts'

/** What writes an image to a device; activation follows. */
const stages: readonly DeviceStage[] = [transferToDevice, verifyOnDevice, install]

/** One device's part of an update. */
export interface DeviceUpdate extends DeviceWork {
  readonly image: ImageComponent
  /** Who vouches for it. */
  readonly signer: string | undefined
  readonly read: FlashJob['image']['read']
  /** The image that it is part of. */
  readonly whole: FlashJob['package']
  readonly applyTime: ApplyTime
  readonly stage: boolean
  /** The reset that the image asks for, where that is more than its component always needs. */
  readonly reset: ResetNeed | undefined
  /** To be told when nothing but other devices keeps it from being written. */
  readonly opened: () => void
  /** Whether one that is written first waits for its own moment. */
  readonly isHeldUp: () => boolean
  /** Resolves when it may be written: false where what had to come first failed. */
  readonly ready: Promise<boolean>
  /** To be told once it is written, or will not be. */
  readonly written: (isWritten: boolean) => void
}

/**
 * Takes one device through its stages; every problem ends as a message and a state of the component. What an earlier run
 * of the service began goes on from where that left it.
 */
export async function updateDevice(device: DeviceUpdate): Promise<Ending> {
  let opening: Opening | undefined
  try {
    const left = reachedBy(device)
    const isInstalling = (left?.at === 'verify' || left?.at === 'install') && isStillAtIt(device)
    if (left?.at === 'over' || left?.at === 'installed' || left?.at === 'activate' || isInstalling) {
      device.written(left.at !== 'over' || left.state === 'Completed')
      return await takeUpActivation(device, installed(device), left)
    }
    const lost = left && left.at !== 'opened' ? lose(device, left.at) : 'struck'
    if (lost !== 'struck') return lost
    const opened = left === undefined ? await awaitApplyTime(device) : undefined
    if (opened === 'expired') return refuse(device, message('Base.OperationTimeout'))
    opening = opened
    device.opened()
    // Who is held up holds up no boot: its own reset comes later, then.
    const letBoot = (): void => {
      opening?.through()
      opening = undefined
    }
    // A turn later: others may have been opened by the same.
    if (device.isHeldUp()) await device.shop.clock.sleep(0, device.work.signal)
    if (device.isHeldUp()) letBoot()
    if (!(await device.work.queue(unlessAborted(device.ready, device.work.signal))))
      return refuse(device, message('Update.UpdateSkipped', ...named(device)))
    const failure = await writeWhole(device, letBoot)
    device.written(failure === undefined)
    if (failure !== undefined) return failure
    const onDevice = installed(device)
    return device.stage ? leaveStaged(device, onDevice) : await bringIntoUse(device, onDevice, opening)
  } catch (error) {
    if (!device.work.signal.aborted) throw error
    const ending = { state: 'Cancelled', status: 200 } as const
    commit(device.bmc, reached(device, over(ending)))
    return ending
  } finally {
    device.written(false)
    opening?.through()
  }
}

/** The target and the image, as messages name them. */
function named({ component, image }: DeviceUpdate): [target: string, image: string] {
  return [component.uri, imageName(image)]
}

/** The image as it is when it has been installed. */
function installed({ bmc, component, shop, work, image, signer, reset }: DeviceUpdate): PendingImage {
  const { pending } = findComponent(bmc, component.id)?.now ?? component.now
  // Where it waits already, since when is known.
  if (pending?.cause?.group === work.cause.group && pending !== undefined) return pending
  return pendingImage(image, { since: shop.clock.now(), cause: work.cause, signer, reset })
}

/** Waits for the moment that the request, or the device's installer, asks for. */
async function awaitApplyTime(device: DeviceUpdate): Promise<Opening | 'expired' | undefined> {
  const { bmc, component, work, shop, applyTime } = device
  const need = resetFor(component, device)
  const openedBy = openerOf(bmc, component, applyTime, need)
  if (openedBy === undefined) return undefined
  const [target, name] = named(device)
  const [resource = bmc.machine.manager] = resetsOf(bmc, component, need)
  const asksForReset = openedBy.resetOf !== undefined && openedBy.onlyInWindow !== true
  const messages = [
    message('Update.AwaitToUpdate', name, target),
    ...(asksForReset ? [resetRequired(resource, need?.type ?? offeredReset(device, resource))] : []),
  ]
  const gate = shop.gates.close(bmc, openedBy, { component, holds: need?.resource, signal: work.signal })
  const isOpened = (): void => commit(bmc, reached(device, { at: 'opened' }))
  const goOn = (): void => {
    // At once: whoever said so is told that it is done.
    isOpened()
    gate.open()
  }
  const opening = await work.wait({ for: asksForReset ? 'user' : 'condition', messages, goOn }, gate.opened)
  if (opening === 'expired') return opening
  // A reset that it holds up is still under way after a restart, and opens it again.
  const isHeld = opening.by !== undefined && opening.by.resource === need?.resource
  if (!isHeld) isOpened()
  return opening
}

/** Of a managed device, which offers what it offers; a machine of our own always offers the gentlest. */
function offeredReset({ bmc, component }: DeviceUpdate, resource: string): string | undefined {
  const document = bmc.machine.resources.get(resource)
  return component.on && gentlestType(resource, document, 'restart')
}

/** Writes it, and once more where the device begins again after a reset of the manager; how the part ends that fails. */
async function writeWhole(device: DeviceUpdate, letBoot: () => void): Promise<Ending | undefined> {
  for (;;) {
    const result = await write(device, letBoot)
    if (result !== 'struck') return result
    const { bmc, component, work, shop } = device
    const openedBy = { resetOf: [bmc.machine.manager] }
    await shop.gates.close(bmc, openedBy, { component, signal: work.signal }).opened
  }
}

/** Stages 3 to 5, when it is this device's turn. */
async function write(device: DeviceUpdate, letBoot: () => void): Promise<Ending | 'struck' | undefined> {
  const { bmc, component, claim, work, shop } = device
  const [target, name] = named(device)
  let endTurn = await work.queue(shop.turns(bmc).take(work.signal))
  const interruption = claim.begin()
  let done = percentOf(device, 30)
  let halfDone: DeviceStage | undefined
  try {
    for (const stage of stages) {
      while (work.isSuspended) {
        // Nobody could resume it while the manager is away; nor does it keep the turn from others.
        letBoot()
        endTurn()
        await work.checkpoint()
        endTurn = await work.queue(shop.turns(bmc).take(work.signal))
      }
      halfDone = stage
      work.allowCancel(stage.cancellable)
      const begun = { ...updating(bmc, component, stage.damages), ...reached(device, { at: stage.name }) }
      work.report({ messages: [stage.started(name, target)] }, begun)
      const until = percentOf(device, stage.until)
      const from = done
      const progress = (share: number): void => work.report({ percent: from + share * (until - from) })
      const result = await settle(device, stage, interruption, progress)
      if (result !== 'done') return result
      halfDone = undefined
      done = until
      work.report({ percent: done })
    }
    return undefined
  } catch (error) {
    // Cancelled, out of time, or a bug, of which the task will tell: the component must not stay Updating for it.
    shop.flasher.release({ bmcId: bmc.id, component })
    const damaging = halfDone?.damages === true ? halfDone : undefined
    const told = damaging ? [damaging.failed(name, target)] : []
    work.report({}, withLog(device, told, failedUpdate(bmc, component, damaging !== undefined)))
    throw error
  } finally {
    claim.rest()
    endTurn()
  }
}

/** What a device's promise came to: a device that was stopped rejects, and why decides what that means. */
async function settle(
  device: DeviceUpdate,
  stage: DeviceStage,
  interruption: AbortSignal,
  progress: (share: number) => void,
): Promise<'done' | 'struck' | Ending> {
  const { bmc, component, claim, work, shop } = device
  const job = flashJob(device, AbortSignal.any([work.signal, interruption]), progress)
  let result: FlashResult
  try {
    result = await stage.run(shop.flasher, job)
  } catch (error) {
    if (!interruption.aborted) throw error
    const beginsAgain = component.behaviour.onManagerReset === 'starts-again'
    if (!beginsAgain || claim.struckBy !== bmc.machine.manager) return failAt(device, stage)
    shop.flasher.release({ bmcId: bmc.id, component })
    return beginAgain(device, stage.damages)
  }
  if (result.ok) return 'done'
  return failAt(device, stage, result.problem.kind === 'failed' ? result.problem.why : [])
}

/**
 * The service ended in the middle of a stage: to a device, that is as if its manager had been reset. A managed device has
 * lost nothing by that until it is written, and is begun anew unless it may have gone on with it.
 */
function lose(device: DeviceUpdate, at: DeviceStageName): 'struck' | Ending {
  const stage = stages.find(({ name }) => name === at)
  const { onManagerReset = 'fails' } = device.component.behaviour
  if (stage === undefined) return 'struck'
  if (device.work.signal.aborted) {
    // Somebody was told that it would be cancelled.
    device.work.report({}, failedUpdate(device.bmc, device.component, stage.damages))
    device.work.signal.throwIfAborted()
  }
  const isUntouched = device.component.on !== undefined && !stage.damages && !isStillAtIt(device)
  if (onManagerReset === 'fails' && !isUntouched) return failAt(device, stage)
  return beginAgain(device, stage.damages && onManagerReset !== 'goes-on')
}

function beginAgain(device: DeviceUpdate, isDamaged: boolean): 'struck' {
  const { bmc, component, work } = device
  work.report({}, { ...failedUpdate(bmc, component, isDamaged), ...reached(device, undefined) })
  return 'struck'
}

function failAt(device: DeviceUpdate, stage: DeviceStage, why: readonly Message[] = []): Ending {
  const { bmc, component, shop } = device
  const [target, name] = named(device)
  shop.flasher.release({ bmcId: bmc.id, component })
  const ending = { state: 'Exception', status: stage.failedStatus } as const
  const told = [stage.failed(name, target), ...why]
  return conclude(device, ending, told, failedUpdate(bmc, component, stage.damages))
}

/** Nothing was done to the device, and nothing will be. */
function refuse(device: DeviceUpdate, why: Message): Ending {
  return conclude(device, { state: 'Exception', status: 500 }, [why], {})
}

/** Stage was asked for: the image waits on the device until a client activates it. */
function leaveStaged(device: DeviceUpdate, image: PendingImage): Ending {
  const { bmc, component, work, shop } = device
  const standby: StandbyImage = { ...image, id: standbyId(component, image.version), kind: 'staged' }
  const uri = uris.firmware(standby.id)
  const messages = [message('Update.AwaitToActivate', image.image, uri)]
  const ending = { state: 'Completed', status: 200 } as const
  const change: Change = { ...staged(bmc, component, standby), ...reached(device, over(ending)) }
  const about = { ...work.cause, origin: component.uri, related: [...(work.cause.related ?? []), uri] }
  work.report({ messages, created: [uri] }, { ...change, ...logged(bmc, shop.clock.now(), about, messages) })
  return ending
}

function flashJob(device: DeviceUpdate, signal: AbortSignal, progress: FlashJob['progress']): FlashJob {
  const { image, read, whole } = device
  return {
    ...deviceJob(device, image.version, signal),
    image: {
      sizeBytes: image.sizeBytes,
      sha256: image.sha256,
      read,
    },
    package: whole,
    progress,
  }
}
