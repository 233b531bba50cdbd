import { findComponent } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { logged } from '../bmc/log.ts'
import { gentlestType } from '../bmc/reset-types.ts'
import type { Change, PendingImage, StandbyImage } from '../bmc/state.ts'
import { unlessAborted } from '../lib/abort.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Ending } from '../tasks/work.ts'
import { type Opening, openerOf, resetsOf } from './apply-time.ts'
import { bringIntoUse, takeUpActivation } from './bring-into-use.ts'
import { pendingImage, staged, standbyId } from './component-changes.ts'
import { over, reached, reachedBy } from './record.ts'
import { resetFor } from './reset-need.ts'
import { conclude, resetRequired } from './workshop.ts'
import { type DeviceUpdate, named } from './device-part.ts'
import { stages, takeUpWriting, writeWhole } from './write-device.ts'

/**
 * Takes one device through its stages; every problem ends as a message and a state of the component. What an earlier run
 * of the service began goes on from where that left it.
 */
export async function updateDevice(device: DeviceUpdate): Promise<Ending> {
  let opening: Opening | undefined
  try {
    const left = reachedBy(device)
    if (left?.at === 'over' || left?.at === 'installed' || left?.at === 'activate') {
      device.written(left.at !== 'over' || left.state === 'Completed')
      return await takeUpActivation(device, installed(device), left)
    }
    const todo = left === undefined ? stages : await takeUpWriting(device, left.at)
    if ('state' in todo) return todo
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
    const failure = await writeWhole(device, todo, letBoot)
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
