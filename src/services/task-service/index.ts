import { type Static, Type } from '../../lib/schema.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'

import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { standardRequirement } from '../../redfish/privileges.ts'
import { collection, link, resource } from '../../redfish/resource.ts'
import { type Answer, type Call, type Privileges } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { isFinal } from '../../tasks/task.ts'
import { taskView } from '../../tasks/task-resource.ts'

const ServicePatch = Type.Object(
  { TaskAutoDeleteTimeoutMinutes: Type.Optional(Type.Integer({ minimum: 1 })) },
  { additionalProperties: false },
)

/** A monitor is ended as its task is. */
export const monitorPrivileges: Privileges = { DELETE: standardRequirement('Task', uris.tasks, 'DELETE') }
export const taskOwner: NonNullable<Row['owner']> = ({ state }, { id = '' }) =>
  state.tasks.get(id)?.actor?.username

/** TaskService and its tasks, which stay for TaskAutoDeleteTimeoutMinutes after their end. */
export function taskRows(engine: TaskEngine): Row[] {
  return [
    {
      path: uris.taskService,
      type: 'TaskService',
      view: ({ state: { settings } }) => ({
        ...resource('TaskService', uris.taskService, 'Task service'),
        ServiceEnabled: true,
        Status: { State: 'Enabled', Health: 'OK' },
        CompletedTaskOverWritePolicy: 'Oldest',
        LifeCycleEventOnTaskStateChange: true,
        TaskAutoDeleteTimeoutMinutes: settings.taskAutoDeleteMinutes,
        Tasks: link(uris.tasks),
      }),
      patch: {
        schema: ServicePatch,
        apply: ({ bmc, body }) => {
          const { TaskAutoDeleteTimeoutMinutes: minutes } = body as Static<typeof ServicePatch>
          if (minutes === undefined) return
          commit(bmc, { settings: { taskAutoDeleteMinutes: minutes } })
          engine.sweep(bmc)
        },
      },
    },
    {
      path: uris.tasks,
      type: 'TaskCollection',
      view: ({ state }) =>
        collection('TaskCollection', uris.tasks, 'Tasks', [...state.tasks.keys()].map(uris.task)),
    },
    {
      path: uris.task(':id'),
      type: 'Task',
      owner: taskOwner,
      view: ({ state }, { id = '' }) => {
        const task = state.tasks.get(id)
        return task && taskView(task)
      },
      delete: (call) => deleteTask(engine, call),
    },
  ]
}

/** DELETE of a task or its monitor: removes a finished task, cancels a running one where its stage allows it. */
export function deleteTask(
  engine: TaskEngine,
  { bmc, params: { id = '' } }: Pick<Call<Bmc>, 'bmc' | 'params'>,
): Answer {
  const task = bmc.state.tasks.get(id)
  if (task !== undefined && isFinal(task.state)) {
    engine.remove(bmc, id)
    return { status: 204 }
  }
  if (!engine.cancel(bmc, id)) throw new RedfishError(409, message('Base.ResourceInUse'))
  const cancelling = bmc.state.tasks.get(id)
  return {
    status: 202,
    headers: { Location: uris.task(id) },
    ...(cancelling && { body: taskView(cancelling) }),
  }
}
