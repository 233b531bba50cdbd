import { type Bmc, type Component, machineMember } from '../bmc/bmc.ts'
import { logged } from '../bmc/log.ts'
import type { Change } from '../bmc/state.ts'
import type { Flasher, FlashJob } from '../devices/flasher.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import type { SpoolEntry } from '../image/spool.ts'
import type { Clock } from '../lib/clock.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { TaskHandle } from '../tasks/engine.ts'
import { activated, failedUpdate, parked, pendingImage, updating } from './component-changes.ts'
import { activate } from './stages/activate.ts'
import { install } from './stages/install.ts'
import type { DeviceStage } from './stages/stage.ts'
import { transferToDevice } from './stages/transfer-to-device.ts'
import { verifyOnDevice } from './stages/verify-on-device.ts'
import { verifyOnManager } from './stages/verify-on-manager.ts'

const stages: readonly DeviceStage[] = [transferToDevice, verifyOnDevice, install, activate]

/** One device's part of an update. */
export interface DeviceUpdate {
  readonly bmc: Bmc
  readonly component: Component
  readonly image: ImageComponent
  readonly spooled: SpoolEntry
  readonly task: TaskHandle
  readonly flasher: Flasher
  readonly clock: Clock
  /** Aborted when the machine is reset under the update. */
  readonly interruption: AbortSignal
  /** Told this device's PercentComplete. */
  readonly progress: (percent: number) => void
}

export type Outcome =
  | { readonly kind: 'updated' | 'waits' | 'cancelled' }
  | { readonly kind: 'failed'; readonly status: number }

/** Takes one device through its stages; every problem ends as a message of the task and a state of the component. */
export async function updateDevice(update: DeviceUpdate): Promise<Outcome> {
  const { bmc, component, image, task, flasher, clock, progress } = update
  const [name, target] = [imageName(image), component.uri]
  let done = verifyOnManager.until
  for (const stage of stages) {
    if (stage === activate && component.behaviour.reset !== undefined) return park(update)
    if (!stage.cancellable) task.allowCancel(false)
    task.report({ messages: [stage.started(name, target)] }, updating(component))
    const from = done
    const job = flashJob(update, (share) => progress(from + share * (stage.until - from)))
    const result = await settle(update, stage, stage.run(flasher, job))
    if (result === 'cancelled') return cancel(update)
    if (result === 'failed') return failAt(update, stage)
    done = stage.until
    progress(done)
  }
  const success = message('Update.UpdateSuccessful', target, name)
  const change = activated(component, pendingImage(image, clock.now(), task.cause))
  task.report(
    { messages: [success] },
    { ...change, ...logged(bmc, clock.now(), { ...task.cause, origin: target }, [success]) },
  )
  return { kind: 'updated' }
}

/** What a device's promise came to: a device that was stopped rejects, and why decides what that means. */
async function settle(
  { component, task, interruption }: DeviceUpdate,
  stage: DeviceStage,
  work: ReturnType<DeviceStage['run']>,
): Promise<'done' | 'failed' | 'cancelled'> {
  try {
    return (await work).ok ? 'done' : 'failed'
  } catch (error) {
    if (interruption.aborted) return 'failed'
    if (task.signal.aborted) return 'cancelled'
    // A bug, of which the task will tell; the component must not stay Updating for it.
    task.report({}, failedUpdate(component, stage.damages))
    throw error
  }
}

/** Installed; a reset will activate it. The task ends here, because clients poll a task that waits for ever. */
function park({ bmc, component, image, task, clock }: DeviceUpdate): Outcome {
  const [name, target] = [imageName(image), component.uri]
  const messages = [message('Update.AwaitToActivate', name, target), ...resetRequired(component)]
  task.report(
    { messages },
    {
      ...parked(component, pendingImage(image, clock.now(), task.cause)),
      ...logged(bmc, clock.now(), { ...task.cause, origin: target }, messages),
    },
  )
  return { kind: 'waits' }
}

/** The reset as a client may POST it: its action's URI and the ResetType. */
export function resetRequired({ behaviour: { reset } }: Component): Message[] {
  if (reset === undefined) return []
  const action = reset.resource.startsWith(`${uris.systems}/`) ? 'ComputerSystem.Reset' : 'Manager.Reset'
  return [message('Base.ResetRequired', uris.action(reset.resource, action), reset.type)]
}

function failAt({ bmc, component, image, task, flasher, clock }: DeviceUpdate, stage: DeviceStage): Outcome {
  flasher.release({ bmcId: bmc.id, component })
  const failure = stage.failed(imageName(image), component.uri)
  const change: Change = {
    ...failedUpdate(component, stage.damages),
    ...logged(bmc, clock.now(), { ...task.cause, origin: component.uri }, [failure]),
  }
  task.report({ messages: [failure] }, change)
  return { kind: 'failed', status: stage.failedStatus }
}

function cancel({ bmc, component, task, flasher }: DeviceUpdate): Outcome {
  flasher.release({ bmcId: bmc.id, component })
  task.report({}, failedUpdate(component, false))
  return { kind: 'cancelled' }
}

function flashJob(update: DeviceUpdate, progress: FlashJob['progress']): FlashJob {
  const { bmc, component, image, spooled, task, interruption } = update
  return {
    bmcId: bmc.id,
    component,
    image: {
      sizeBytes: image.sizeBytes,
      sha256: image.sha256,
      read: () => spooled.read(image.start, image.start + image.sizeBytes),
    },
    hasPower: () => hasPower(bmc, component),
    signal: AbortSignal.any([task.signal, interruption]),
    progress,
  }
}

/** Whether the system that the component depends on is not switched off. */
export function hasPower(bmc: Bmc, { behaviour }: Component): boolean {
  const system = behaviour.needsPowerOf
  return system === undefined || machineMember(bmc, system, 'PowerState') !== 'Off'
}
