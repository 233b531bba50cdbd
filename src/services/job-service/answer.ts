import type { InsideAnswer } from '../../http/inside.ts'
import { describeMessage, type Message, message, withSeverity } from '../../redfish/messages/message.ts'
import { isObject, type Json } from '../../redfish/resource.ts'
import { lastSegment } from '../../redfish/uris.ts'
import type { Ending } from '../../tasks/work.ts'

/** What the answer to a job's request means to the job. */
interface Answered {
  readonly state: Ending['state']
  readonly messages: readonly Message[]
  /** The Id of the task that goes on with it. */
  readonly task: string | undefined
}

export function answerOf({ status, body }: InsideAnswer): Answered {
  const task = status === 202 ? body['@odata.id'] : undefined
  const isTask = typeof task === 'string'
  const error = isObject(body['error']) ? body['error'] : body
  const told = isTask ? [] : messagesIn(error['@Message.ExtendedInfo'])
  const isGood = status < 400
  return {
    state: isGood ? 'Completed' : 'Exception',
    messages: told.length > 0 || isTask ? told : [ofStatus(status, isGood)],
    task: isTask ? lastSegment(task) : undefined,
  }
}

function ofStatus(status: number, isGood: boolean): Message {
  if (!isGood) return message('Base.GeneralError')
  return status === 201 ? message('Base.Created') : message('Base.Success')
}

/** The messages of an answer of our own. */
function messagesIn(info: Json | undefined): Message[] {
  if (!Array.isArray(info)) return []
  return info.flatMap((one: Json) => {
    if (!isObject(one) || typeof one['MessageId'] !== 'string') return []
    const args = Array.isArray(one['MessageArgs']) ? one['MessageArgs'].map(String) : []
    const said = describeMessage(one['MessageId'], args)
    const { MessageSeverity: severity } = one
    const isSeverity = severity === 'OK' || severity === 'Warning' || severity === 'Critical'
    return [isSeverity ? withSeverity(said, severity) : said]
  })
}
