import type { FastifyReply } from 'fastify'
import type { Task } from '../bmc/state.ts'
import { uris } from '../redfish/uris.ts'
import { taskView } from '../tasks/task-resource.ts'
import { JSON_TYPE } from './errors.ts'

/** Seconds between two looks at a task: on the 202 and the monitor, never on the Task, which sushy would trip over. */
const RETRY_AFTER_S = 1

/** 202 with everything that clients look for: the monitor, when to ask, and the Task. */
export function sendAccepted(reply: FastifyReply, task: Task): FastifyReply {
  return reply
    .code(202)
    .headers({ Location: uris.taskMonitor(task.id), 'Retry-After': String(RETRY_AFTER_S) })
    .type(JSON_TYPE)
    .send(JSON.stringify(taskView(task)))
}
