import type { DeviceStageName } from '../bmc/device-faults.ts'
import type { PartReached } from '../bmc/operation.ts'
import type { FlashJob, FlashResult, Found } from '../devices/flasher.ts'
import type { Message } from '../redfish/messages/message.ts'
import type { Ending } from '../tasks/work.ts'
import { failedUpdate, updating } from './component-changes.ts'
import { type DeviceUpdate, named } from './device-part.ts'
import { inquire, whyLost, withdraw } from './inquiry.ts'
import { reached } from './record.ts'
import { install } from './stages/install.ts'
import type { DeviceStage } from './stages/stage.ts'
import { transferToDevice } from './stages/transfer-to-device.ts'
import { verifyOnDevice } from './stages/verify-on-device.ts'
import { conclude, deviceJob, percentOf, withLog } from './workshop.ts'

/** What writes an image to a device; activation follows. */
export const stages: readonly DeviceStage[] = [transferToDevice, verifyOnDevice, install]

/** What is still to be done of a writing that was cut: at once, or when the reset is over that struck it. */
interface Cut {
  readonly left: readonly DeviceStage[]
  readonly isStruck: boolean
}

/** Writes it, and once more where the device begins again after a reset of the manager; how the part ends that fails. */
export async function writeWhole(
  device: DeviceUpdate,
  todo: readonly DeviceStage[],
  letBoot: () => void,
): Promise<Ending | undefined> {
  for (let left = todo; ;) {
    const result = await write(device, left, letBoot)
    if (result === undefined || 'state' in result) return result
    left = result.left
    if (!result.isStruck) continue
    const { bmc, component, work, shop } = device
    const openedBy = { resetOf: [bmc.machine.manager] }
    await shop.gates.close(bmc, openedBy, { component, signal: work.signal }).opened
  }
}

/** Stages 3 to 5, when it is this device's turn. */
async function write(
  device: DeviceUpdate,
  todo: readonly DeviceStage[],
  letBoot: () => void,
): Promise<Ending | Cut | undefined> {
  const { bmc, component, claim, work, shop } = device
  const [target, name] = named(device)
  let endTurn = await work.queue(shop.turns(bmc).take(work.signal))
  const interruption = claim.begin()
  let done = percentOf(device, stages[stages.length - todo.length - 1]?.until ?? 30)
  let halfDone: DeviceStage | undefined
  try {
    for (const stage of todo) {
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
): Promise<'done' | Cut | Ending> {
  const { bmc, component, claim, work, shop } = device
  const job = flashJob(device, AbortSignal.any([work.signal, interruption]), progress)
  let result: FlashResult
  try {
    result = await stage.run(shop.flasher, job)
  } catch (error) {
    if (!interruption.aborted) return goOn(device, stage, error)
    const beginsAgain = component.behaviour.onManagerReset === 'starts-again'
    if (!beginsAgain || claim.struckBy !== bmc.machine.manager) return failAt(device, stage)
    shop.flasher.release({ bmcId: bmc.id, component })
    return beginAgain(device, stage.damages)
  }
  if (result.ok) return 'done'
  return failAt(device, stage, result.problem.kind === 'failed' ? result.problem.why : [])
}

/** What a cancelled stage comes to: its device may go on with it all the same. */
async function goOn(device: DeviceUpdate, stage: DeviceStage, reason: unknown): Promise<Cut | Ending> {
  const found = await withdraw(device, device.image.version, stage.name)
  if (found === undefined) throw reason
  return found.ok && found.value !== 'nothing'
    ? { left: stagesFrom(found.value), isStruck: false }
    : failAt(device, stage, whyLost(device, found))
}

/**
 * What is still to be done where the service ended in the middle of a stage: what the device says. To one that says nothing
 * that is as if its manager had been reset; but a managed device has lost nothing by it until it is written.
 */
export async function takeUpWriting(
  device: DeviceUpdate,
  left: PartReached['at'],
): Promise<readonly DeviceStage[] | Ending> {
  const at = stages.find(({ name }) => name === left)
  if (at === undefined) return stages
  const { bmc, component, work, image } = device
  work.allowCancel(at.cancellable)
  let found: Found | undefined
  try {
    found = await inquire(device, image.version, at.name)
    // Somebody was told that it would be cancelled.
    if (work.signal.aborted) found = await withdraw(device, image.version, at.name)
    work.signal.throwIfAborted()
  } catch (error) {
    work.report({}, failedUpdate(bmc, component, at.damages))
    throw error
  }
  const lost = (): Ending => failAt(device, at, whyLost(device, found))
  if (found?.ok === false) return lost()
  if (found !== undefined && found.value !== 'nothing') return stagesFrom(found.value)
  const { onManagerReset = 'fails' } = component.behaviour
  const isUntouched = found !== undefined || (component.on !== undefined && !at.damages)
  if (onManagerReset === 'fails' && !isUntouched) return lost()
  beginAgain(device, !isUntouched && at.damages && onManagerReset !== 'goes-on')
  return stages
}

function stagesFrom(first: DeviceStageName): readonly DeviceStage[] {
  const index = stages.findIndex(({ name }) => name === first)
  return index < 0 ? [] : stages.slice(index)
}

function beginAgain(device: DeviceUpdate, isDamaged: boolean): Cut {
  const { bmc, component, work } = device
  work.report({}, { ...failedUpdate(bmc, component, isDamaged), ...reached(device, undefined) })
  return { left: stages, isStruck: true }
}

function failAt(device: DeviceUpdate, stage: DeviceStage, why: readonly Message[] = []): Ending {
  const { bmc, component, shop } = device
  const [target, name] = named(device)
  shop.flasher.release({ bmcId: bmc.id, component })
  const ending = { state: 'Exception', status: stage.failedStatus } as const
  const told = [stage.failed(name, target), ...why]
  return conclude(device, ending, told, failedUpdate(bmc, component, stage.damages))
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
