import type { Task } from '../bmc/state.ts'
import { timestamp } from '../lib/clock.ts'
import { link, type Resource, resource } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { hasMonitor, taskKey, taskStatus, taskUri } from './task.ts'

/** A Task or sub-task; TaskStatus and EndTime only at the end (Task v1_7_4). */
export function taskView(task: Task): Resource {
  const { id, parent, parts = 0, name, description, state, percent, messages, startTime, endTime } = task
  return {
    ...resource('Task', taskUri(taskKey(task)), name),
    Description: description,
    TaskState: state,
    TaskStatus: taskStatus(task),
    PercentComplete: percent,
    StartTime: timestamp(startTime),
    EndTime: endTime === undefined ? undefined : timestamp(endTime),
    ...(hasMonitor(task) && { TaskMonitor: uris.taskMonitor(id) }),
    ...(parent === undefined && payloadMembers(task)),
    Messages: messages.map((message) => ({ ...message })),
    ...(parts > 0 && { SubTasks: link(uris.subTasks(id)) }),
    ...createdLinks(task.createdResources),
  }
}

/** What the task came from; that of a sub-task is its task's. */
function payloadMembers({ payload }: Task) {
  return {
    HidePayload: false,
    Payload: {
      HttpOperation: 'POST',
      TargetUri: payload.targetUri,
      HttpHeaders: payload.httpHeaders,
      JsonBody: payload.jsonBody,
    },
  }
}

function createdLinks(created: readonly string[] = []) {
  if (created.length === 0) return {}
  return { Links: { CreatedResources: created.map(link), 'CreatedResources@odata.count': created.length } }
}
