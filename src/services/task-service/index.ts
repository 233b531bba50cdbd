import { type Static, Type } from '../../lib/schema.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { Task } from '../../bmc/state.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { standardRequirement } from '../../redfish/privileges.ts'
import { collection, link, resource } from '../../redfish/resource.ts'
import { type Answer, type Call, type Params, type Privileges } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { wholes } from '../../tasks/retention.ts'
import { isFinal } from '../../tasks/task.ts'
import { taskView } from '../../tasks/task-resource.ts'

const ServicePatch = Type.Object(
  {
    TaskAutoDeleteTimeoutMinutes: Type.Optional(Type.Integer({ minimum: 1 })),
    TaskMonitorAutoExpirySeconds: Type.Optional(
      Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0 }),
    ),
  },
  { additionalProperties: false },
)
const NoParameters = Type.Object({}, { additionalProperties: false })
const DELETE_COMPLETED = 'TaskService.DeleteAllCompletedTasks'

/** A monitor is ended as its task is. */
export const monitorPrivileges: Privileges = { DELETE: standardRequirement('Task', uris.tasks, 'DELETE') }
/** Sub-tasks are whose their task is. */
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
        CompletedTaskOverWritePolicy: engine.overWritePolicy,
        LifeCycleEventOnTaskStateChange: true,
        TaskAutoDeleteTimeoutMinutes: settings.taskAutoDeleteMinutes,
        TaskMonitorAutoExpirySeconds: settings.taskMonitorExpiryS,
        Tasks: link(uris.tasks),
        Actions: { [`#${DELETE_COMPLETED}`]: { target: uris.action(uris.taskService, DELETE_COMPLETED) } },
      }),
      patch: { schema: ServicePatch, apply: (call) => patchService(engine, call) },
      actions: {
        [DELETE_COMPLETED]: {
          parameters: NoParameters,
          run: ({ bmc }) => {
            engine.removeCompleted(bmc)
            return { status: 204 }
          },
        },
      },
    },
    {
      path: uris.tasks,
      type: 'TaskCollection',
      view: ({ state }) =>
        collection(
          'TaskCollection',
          uris.tasks,
          'Tasks',
          wholes(state.tasks).map(({ id }) => uris.task(id)),
        ),
    },
    {
      path: uris.task(':id'),
      type: 'Task',
      owner: taskOwner,
      view: (bmc, params) => {
        const task = taskOf(bmc, params)
        return task && taskView(task)
      },
      delete: (call) => deleteTask(engine, call),
    },
    ...subTaskRows(engine),
  ]
}

function subTaskRows(engine: TaskEngine): Row[] {
  return [
    {
      path: uris.subTasks(':id'),
      type: 'TaskCollection',
      view: (bmc, params) => {
        const { id, parts = 0 } = taskOf(bmc, params) ?? {}
        if (id === undefined || parts === 0) return undefined
        const members = Array.from({ length: parts }, (_, index) => uris.subTask(id, String(index + 1)))
        return collection('TaskCollection', uris.subTasks(id), `Parts of task ${id}`, members)
      },
    },
    {
      path: uris.subTask(':id', ':part'),
      type: 'Task',
      owner: taskOwner,
      view: (bmc, params) => {
        const task = taskOf(bmc, params)
        return task && taskView(task)
      },
      delete: (call) => deleteTask(engine, call),
    },
  ]
}

function patchService(engine: TaskEngine, { bmc, body }: Call<Bmc>): void {
  const { settings } = bmc.state
  const asked = body as Static<typeof ServicePatch> // judged before
  const { TaskAutoDeleteTimeoutMinutes: minutes, TaskMonitorAutoExpirySeconds: expiryS } = asked
  commit(bmc, {
    settings: {
      taskAutoDeleteMinutes: minutes ?? settings.taskAutoDeleteMinutes,
      taskMonitorExpiryS: expiryS === undefined ? settings.taskMonitorExpiryS : expiryS,
    },
  })
  engine.sweep(bmc)
}

/**
 * DELETE of a task or its monitor: removes a finished task, cancels a running one where its stage allows it. A
 * sub-task can be cancelled alone; when it has ended, it stays as long as its task.
 */
export function deleteTask(engine: TaskEngine, { bmc, params }: Pick<Call<Bmc>, 'bmc' | 'params'>): Answer {
  const key = keyOf(params)
  const task = taskOf(bmc, params)
  if (task !== undefined && isFinal(task.state)) {
    if (task.parent !== undefined) throw new RedfishError(409, message('Base.ResourceCannotBeDeleted'))
    if (!engine.remove(bmc, key)) throw new RedfishError(409, message('Base.ResourceInUse'))
    return { status: 204 }
  }
  if (!engine.cancel(bmc, key)) throw new RedfishError(409, message('Base.ResourceInUse'))
  const cancelling = taskOf(bmc, params)
  const body = cancelling && taskView(cancelling)
  return {
    status: 202,
    ...(body && { headers: { Location: body['@odata.id'] }, body }),
  }
}

function taskOf({ state }: Bmc, params: Params): Task | undefined {
  return state.tasks.get(keyOf(params))
}

/** An Id with a slash in it, however it is written, names no task. */
function keyOf({ id = '', part }: Params): string {
  if (id.includes('/') || part?.includes('/') === true) return ''
  return part === undefined ? id : `${id}/${part}`
}
