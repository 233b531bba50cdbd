import { logged } from '../bmc/log.ts'
import type { Component } from '../bmc/bmc.ts'
import type { Flasher } from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import type { TaskHandle } from '../tasks/engine.ts'
import type { Ending } from '../tasks/task.ts'
import { uris } from '../redfish/uris.ts'
import { type Outcome, updateDevice } from './device-update.ts'
import type { ManagerStage, Operation } from './stages/stage.ts'
import { transferToManager } from './stages/transfer-to-manager.ts'
import { verifyOnManager } from './stages/verify-on-manager.ts'

/** The manager's part of an update; `device-update.ts` tells each device's. */
const stages: readonly ManagerStage[] = [transferToManager, verifyOnManager]

/** What updates work with. */
export interface Workshop {
  readonly clock: Clock
  readonly flasher: Flasher
  /** Aborted when the machine of this component is reset under its update. */
  readonly interruption: (component: Component) => AbortSignal
}

/**
 * Runs an accepted update to its end (DSP2062, stages of an update): the manager looks at the image, then every device
 * that it is for goes through its stages, side by side. Problems become messages of the task.
 */
export async function runUpdate(operation: Operation, task: TaskHandle, workshop: Workshop): Promise<Ending> {
  const { bmc, image, decisions } = operation
  const { clock, flasher, interruption } = workshop
  for (const stage of stages) {
    const result = stage.run(operation)
    if (!result.ok) {
      const { messages, status } = result.problem
      task.report(
        { messages },
        logged(bmc, clock.now(), { ...task.cause, origin: uris.updateService }, messages),
      )
      return { state: 'Exception', status }
    }
    task.report({ percent: stage.until, messages: result.value })
  }
  const updates = decisions.filter((decision) => decision.kind === 'update')
  const percents = updates.map(() => verifyOnManager.until)
  const settled = await Promise.allSettled(
    updates.map(({ component, image: part }, index) => {
      const progress = (percent: number): void => {
        percents[index] = percent
        task.report({ percent: percents.reduce((sum, one) => sum + one, 0) / percents.length })
      }
      const base = { bmc, task, clock, flasher, progress, spooled: image.spooled }
      return updateDevice({ ...base, component, image: part, interruption: interruption(component) })
    }),
  )
  // Only when all have stopped may the image go: one device's bug must not pull it from under the others.
  const bug = settled.find((one) => one.status === 'rejected')
  if (bug !== undefined) throw bug.reason
  return ending(settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])))
}

/** The whole is as good as its worst part; only where nothing came of it does the monitor answer an error. */
function ending(outcomes: readonly Outcome[]): Ending {
  if (outcomes.some(({ kind }) => kind === 'cancelled')) return { state: 'Cancelled', status: 200 }
  const failed = outcomes.find((outcome) => outcome.kind === 'failed')
  if (failed === undefined) return { state: 'Completed', status: 200 }
  const isPartial = outcomes.some(({ kind }) => kind !== 'failed')
  return { state: 'Exception', status: isPartial ? 200 : failed.status }
}
