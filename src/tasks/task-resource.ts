import type { Task } from '../bmc/state.ts'
import { timestamp } from '../lib/clock.ts'
import { type Resource, resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { taskStatus } from './task.ts'

/** A Task; TaskStatus and EndTime only at the end (Task v1_7_4). */
export function taskView(task: Task): Resource {
  const { id, name, description, state, percent, messages, startTime, endTime, payload } = task
  return {
    ...resource('Task', uris.task(id), name),
    Description: description,
    TaskState: state,
    TaskStatus: taskStatus(task),
    PercentComplete: percent,
    StartTime: timestamp(startTime),
    EndTime: endTime === undefined ? undefined : timestamp(endTime),
    TaskMonitor: uris.taskMonitor(id),
    HidePayload: false,
    Payload: {
      HttpOperation: 'POST',
      TargetUri: payload.targetUri,
      HttpHeaders: payload.httpHeaders,
      JsonBody: payload.jsonBody,
    },
    Messages: messages.map((message) => ({ ...message })),
  }
}
