import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Task } from '../../bmc/state.ts'
import { JSON_TYPE, notFound } from '../../http/errors.ts'
import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendAccepted } from '../../http/accepted.ts'
import { errorBody } from '../../redfish/errors.ts'
import { type Message, worstSeverity } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { hasMonitor, isFinal } from '../../tasks/task.ts'
import { deleteTask, taskOwner, monitorPrivileges } from './index.ts'
import { taskView } from '../../tasks/task-resource.ts'

/** What a monitor answers at the end: DSP2062's response, the finished Task (fwupd), or nothing (OpenBMC). */
export type MonitorEnding = 'response' | 'task' | 'empty'

/** The task monitor: 202 while the operation runs, then what it would have answered synchronously (DSP0266). */
export function taskMonitor(engine: TaskEngine, ending: MonitorEnding): Endpoint {
  const get: EndpointHandler = (request, reply, { bmc }) => {
    const task = bmc.state.tasks.get(idOf(request))
    if (task === undefined || !hasMonitor(task)) throw notFound(pathOf(request))
    void reply.header('Allow', 'GET, HEAD, DELETE')
    if (!isFinal(task.state)) return sendAccepted(reply, task)
    // What only asks whether there is an answer has not read it.
    if (request.method === 'GET') engine.answered(bmc, task.id)
    return sendEnding(reply, task, ending)
  }
  return {
    path: uris.taskMonitor(':id'),
    privileges: monitorPrivileges,
    owner: taskOwner,
    methods: {
      GET: get,
      HEAD: get,
      DELETE: (request, reply, { bmc }) => {
        const id = idOf(request)
        const task = bmc.state.tasks.get(id)
        if (task === undefined || !hasMonitor(task)) throw notFound(pathOf(request))
        const { status, headers = {}, body } = deleteTask(engine, { bmc, params: { id } })
        return reply.code(status).headers(headers).type(JSON_TYPE).send(JSON.stringify(body))
      },
    },
  }
}

function sendEnding(reply: FastifyReply, task: Task, ending: MonitorEnding): FastifyReply {
  switch (ending) {
    case 'response':
      void reply.code(task.finalStatus ?? 200).type(JSON_TYPE)
      return reply.send(JSON.stringify(errorBody(task.messages, outcome(task))))
    case 'task':
      return reply
        .code(200)
        .type(JSON_TYPE)
        .send(JSON.stringify(taskView(task)))
    case 'empty':
      return reply.code(204).send()
  }
}

/** The message that says how it ended: the last of the worst. */
function outcome({ messages }: Task): Message | undefined {
  const worst = worstSeverity(messages)
  return messages.findLast((one) => one.MessageSeverity === worst)
}

function idOf(request: FastifyRequest): string {
  return paramsOf(request)['id'] ?? ''
}
