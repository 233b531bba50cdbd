import type { Bmc } from '../../bmc/bmc.ts'
import { Type } from '../../lib/schema.ts'
import { about, type Message } from '../../redfish/messages/message.ts'
import type { Json, JsonObject } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { judge, propertyMessages, readable } from '../../redfish/validation.ts'
import { ownProperties, propertyWording, updateProperties } from './parameters.ts'
import {
  type Asked,
  OWN_SIMPLE_UPDATE,
  type PullOptions,
  sourceProperties,
  understand,
} from './simple-update.ts'

/** How a job is asked for that is to begin a roll-out: what it sends, and to where. */
export interface RollOutOrders {
  readonly targetUri: string
  /** All that is wrong with what is to be sent, which is at this pointer of the job. */
  readonly mistakes: (bmc: Bmc, order: Json, at: string) => readonly Message[]
}

/** A roll-out as a job: the members are the parameters of our own SimpleUpdate, as far as they go with one. */
export function rollOutOrders(options: PullOptions): RollOutOrders {
  const { ForceUpdate, LocalImage } = updateProperties
  const judgeOrder = judge(
    Type.Object(
      {
        ...ownProperties,
        RollOut: Type.Unsafe<JsonObject>({ type: 'object' }),
        ForceUpdate,
        LocalImage,
        ...sourceProperties(options),
      },
      { additionalProperties: false },
    ),
  )
  return {
    targetUri: uris.action(uris.updateService, OWN_SIMPLE_UPDATE),
    mistakes: (bmc, order, at) => {
      const judged = judgeOrder(order)
      const problem = judged.ok ? [] : judged.problem
      const asked = readable<Asked>(order, problem)
      return [
        ...propertyMessages(problem.map((one) => ({ ...one, pointer: `${at}${one.pointer}` }))),
        ...understand(bmc, asked, options, propertyWording(at)).mistakes.map((one) => below(at, one)),
      ]
    },
  }
}

/** What does not say yet where in the job it is. */
function below(at: string, one: Message): Message {
  const { RelatedProperties: pointers = [] } = one
  return about(
    one,
    ...pointers.map((pointer) => (pointer.startsWith(`${at}/`) ? pointer : `${at}${pointer}`)),
  )
}
