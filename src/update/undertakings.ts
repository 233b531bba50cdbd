import type { Actor } from '../bmc/actor.ts'
import type { Bmc, Component } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { forgotten } from '../bmc/forgotten-operation.ts'
import { nextChange } from '../bmc/next-change.ts'
import type { Operation, UpdateRequest } from '../bmc/operation.ts'
import type { Change, PendingImage } from '../bmc/state.ts'
import { uris } from '../redfish/uris.ts'
import type { ResumedTaskWork } from '../tasks/engine.ts'
import { endingOf as endingOfTask } from '../tasks/task.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { takeUpActivation } from './bring-into-use.ts'
import type { Claim } from './claims.ts'
import { endingOf, type Piece } from './crew.ts'
import { reachedBy } from './record.ts'
import { resetFor } from './reset-need.ts'
import type { Office, Undertaking } from './run.ts'

/** The record of an operation that begins. */
export function beginning(operation: Operation): Pick<Change, 'operations'> {
  return { operations: [[operation.id, operation]] }
}

/** The work of an operation's task: the operation is over with it unless that has moved to a job. */
export function taskWork(bmc: Bmc, run: ResumedTaskWork['run'], endsEarly = false): ResumedTaskWork {
  return {
    run,
    endsAtWait: endsEarly,
    onOver: (id) => {
      const operation = bmc.state.operations.get(id)
      if (operation?.job === undefined || isRollOut(operation)) commit(bmc, forgotten(bmc, id))
    },
  }
}

/** Whether it is over when its roll-out has begun. */
export function isRollOut({ plans = [] }: Operation): boolean {
  return plans.some(({ request }) => request.rollOut !== undefined)
}

/** Whether the task is over when its work waits for somebody: some clients poll one that waits for ever. */
export function endsAtWait({ machine }: Bmc, { applyTime }: Pick<UpdateRequest, 'applyTime'>): boolean {
  switch (applyTime) {
    case 'OnStartUpdateRequest':
      return machine.startUpdate === 'own-task'
    case 'AtMaintenanceWindowStart':
    case 'InMaintenanceWindowOnReset':
      return false
    case 'Immediate':
    case 'OnReset':
    case 'OnTargetReset':
      return machine.awaitReset === 'completed'
  }
}

/** An image that is to be brought into use, and the component that it is on; it is there no more where that is done. */
interface Choice {
  readonly component: Component
  readonly image: PendingImage | undefined
}

/** Brings images into use that are on their devices. */
export function activation(
  { bmc, actor, choices }: { readonly bmc: Bmc; readonly actor: Actor; readonly choices: readonly Choice[] },
  claims: ReadonlyMap<string, Claim>,
  { shop, claims: all }: Office,
): Undertaking {
  const pieces = choices.flatMap(({ component, image }): Piece[] => {
    const claim = claims.get(component.id)
    if (claim === undefined) return []
    return [
      {
        component,
        needsUser: image !== undefined && resetFor(component, image) !== undefined,
        run: (told) => {
          const device = { bmc, component, claim, shop, ...told }
          return takeUpActivation(device, image && { ...image, cause: told.work.cause }, reachedBy(device))
        },
      },
    ]
  })
  const release = (): void => all.release(bmc, claims)
  return { bmc, name: 'Firmware activation', actor, told: [], pieces, release }
}

/** Shows other tasks as parts of this one, which is as good as they are. */
export async function followTasks(bmc: Bmc, ids: readonly string[], task: WorkHandle): Promise<Ending> {
  const endings = ids.map((id) =>
    task.part({
      name: `Update of task ${id}`,
      target: uris.updateService,
      run: ({ signal }) => endOf(bmc, id, signal),
    }),
  )
  return endingOf(await Promise.all(endings))
}

/** How a task ends; one that is gone has ended somehow. */
async function endOf(bmc: Bmc, id: string, signal: AbortSignal): Promise<Ending> {
  for (;;) {
    const task = bmc.state.tasks.get(id)
    if (task === undefined) return { state: 'Completed', status: 200 }
    if (task.endTime !== undefined) return endingOfTask(task)
    await nextChange(bmc, ({ tasks = [] }) => tasks.some(([key]) => key === id), signal)
  }
}
