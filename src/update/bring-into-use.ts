import { logged } from '../bmc/log.ts'
import type { PartReached } from '../bmc/operation.ts'
import { isEnough } from '../bmc/reset-types.ts'
import type { PendingImage, ResetNeed } from '../bmc/state.ts'
import type { FlashResult } from '../devices/flasher.ts'
import { message } from '../redfish/messages/message.ts'
import type { Ending } from '../tasks/work.ts'
import type { Opening } from './apply-time.ts'
import { activated, disarmed, failedActivation, parked, updating } from './component-changes.ts'
import { inquire, whyLost } from './inquiry.ts'
import { reached } from './record.ts'
import { resetFor } from './reset-need.ts'
import { activate } from './stages/activate.ts'
import { conclude, deviceJob, type DeviceWork, percentOf, resetRequired, withLog } from './workshop.ts'

const completed: Ending = { state: 'Completed', status: 200 }

/**
 * Makes an image that is on the device the one that runs: at once, or when the reset comes that device or image need.
 * `opening` is the reset under which it was installed, if any: when it is enough, no other is asked for.
 */
export async function bringIntoUse(
  device: DeviceWork,
  image: PendingImage,
  opening?: Opening,
): Promise<Ending> {
  const { bmc, component, shop, work } = device
  const reset = resetFor(component, image)
  if (reset === undefined) return (await activateNow(device, image)) ?? completed
  let open = opening?.by !== undefined && isEnough(opening.by, reset) ? opening : undefined
  // A reset that is too weak lets its resource boot on: the one that is enough comes later.
  if (open === undefined) opening?.through()
  for (;;) {
    open ??= await awaitReset(device, image, reset)
    // Its task ends: some clients poll one that waits for ever.
    if (open === undefined) return completed
    try {
      const ending = await activateNow(device, image, open.signal)
      if (ending !== undefined) return ending
    } finally {
      open.through()
    }
    // Another reset came before this one had activated the image: that one will.
    work.report({}, parked(bmc, component, { ...image, since: shop.clock.now() }))
    // What belongs to no operation is over with the reset that it came with.
    if (work.signal === open.signal) return completed
    open = undefined
  }
}

/** Goes on with that where an earlier run of the service left it; without an image where nothing of it is left. */
export async function takeUpActivation(
  device: DeviceWork,
  image: PendingImage | undefined,
  left: PartReached | undefined,
): Promise<Ending> {
  if (left?.at === 'over') return { state: left.state, status: left.status }
  if (image === undefined) return completed
  const { bmc, component, work } = device
  const { onManagerReset = 'fails' } = component.behaviour
  // It cannot be cancelled any more, and goes on although it was before.
  if (left?.at === 'activate' && work.signal.aborted) work.persist()
  const found = left?.at === 'activate' ? await inquire(device, image.version, left.at) : undefined
  // One that a reset was to activate waits for that reset, which begins again as well.
  const isLost =
    found === undefined
      ? left?.at === 'activate' && resetFor(component, image) === undefined
      : !found.ok || found.value === 'nothing'
  const goesOn = found === undefined && onManagerReset !== 'fails' && !work.signal.aborted
  if (!isLost || goesOn) return bringIntoUse(device, image)
  const ending = { state: 'Exception', status: activate.failedStatus } as const
  const told = [activate.failed(image.image, component.uri), ...whyLost(device, found)]
  return conclude(device, ending, told, failedActivation(bmc, component))
}

/** Waits for the reset that activates what is installed; `undefined` where nobody is to see that it waits. */
async function awaitReset(
  device: DeviceWork,
  image: PendingImage,
  reset: ResetNeed,
): Promise<Opening | undefined> {
  const { bmc, component, claim, work, shop, resetsItself } = device
  const { resource, type } = reset
  const messages = [
    message('Update.AwaitToActivate', image.image, component.uri),
    ...(resetsItself === undefined ? [resetRequired(resource, type)] : []),
  ]
  const waits = parked(bmc, component, image)
  if (bmc.machine.awaitReset === 'completed' && resetsItself === undefined) {
    conclude(device, completed, messages, waits)
    return undefined
  }
  claim.rest()
  work.allowCancel(true)
  const gate = shop.gates.close(bmc, { reset }, { component, holds: resource, signal: work.signal })
  const about = { ...work.cause, origin: component.uri }
  const also = {
    ...waits,
    ...logged(bmc, shop.clock.now(), about, messages),
    ...reached(device, { at: 'installed' }),
  }
  const opened = work.wait({ for: resetsItself ? 'condition' : 'user', messages, also }, gate.opened)
  resetsItself?.()
  try {
    const opening = await opened
    if (opening === 'expired') throw new Error(`the wait for a reset of ${resource} expired`)
    return opening
  } catch (error) {
    // Cancelled: what was installed is not to run any more.
    if (work.signal.aborted) work.report({}, disarmed(bmc, component))
    throw error
  }
}

/** Stage 6; `undefined`: the reset under which it ran was overtaken by another. */
async function activateNow(
  device: DeviceWork,
  image: PendingImage,
  underReset?: AbortSignal,
): Promise<Ending | undefined> {
  const { bmc, component, claim, work, shop } = device
  const target = component.uri
  const interruption = claim.begin()
  work.allowCancel(false)
  const begun = { ...updating(bmc, component), ...reached(device, { at: 'activate' }) }
  work.report({ messages: [activate.started(image.image, target)] }, begun)
  const from = percentOf(device, 85)
  const to = percentOf(device, activate.until)
  const job = {
    ...deviceJob(device, image.version, AbortSignal.any([work.signal, underReset ?? interruption])),
    progress: (share: number) => work.report({ percent: from + share * (to - from) }),
  }
  let result: FlashResult | undefined
  try {
    result = await shop.flasher.activate(job)
  } catch (error) {
    if (underReset?.aborted) return undefined
    if (!interruption.aborted) {
      // Out of time, or a bug, of which the task will tell: the component must not stay Updating for it.
      const told = [activate.failed(image.image, target)]
      work.report({}, withLog(device, told, failedActivation(bmc, component)))
      throw error
    }
  }
  claim.rest()
  if (result?.ok === true) {
    const success = message('Update.UpdateSuccessful', target, image.image)
    const running = result.value?.version ?? image.version
    // A device may say that all is well and run what it ran before; of some images only it knows the version.
    const isRunning = image.version === '' || running === image.version
    const version = running === '' ? component.now.version : running
    const runs = { ...image, version, activatedAt: shop.clock.now() }
    const change = isRunning ? activated(bmc, component, runs) : disarmed(bmc, component)
    return conclude(device, completed, [success], change)
  }
  const failed = { state: 'Exception', status: activate.failedStatus } as const
  const why = result?.ok === false && result.problem.kind === 'failed' ? result.problem.why : undefined
  const told = [activate.failed(image.image, target), ...(why ?? [])]
  return conclude(device, failed, told, failedActivation(bmc, component))
}
