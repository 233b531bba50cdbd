import type { FastifyReply } from 'fastify'
import type { Task } from '../bmc/state.ts'
import type { Answer } from '../redfish/resource-table.ts'
import { uris } from '../redfish/uris.ts'
import { taskView } from '../tasks/task-resource.ts'
import { JSON_TYPE } from './errors.ts'

/** Seconds between two looks at a task: on the 202 and the monitor, never on the Task, which sushy would trip over. */
const RETRY_AFTER_S = 1

/** 202 with everything that clients look for: the monitor, when to ask, and the Task. */
export function accepted(task: Task): Answer & Required<Pick<Answer, 'headers' | 'body'>> {
  const headers = { Location: uris.taskMonitor(task.id), 'Retry-After': String(RETRY_AFTER_S) }
  return { status: 202, headers, body: taskView(task) }
}

export function sendAccepted(reply: FastifyReply, task: Task): FastifyReply {
  const { status, headers, body } = accepted(task)
  return reply.code(status).headers(headers).type(JSON_TYPE).send(JSON.stringify(body))
}
