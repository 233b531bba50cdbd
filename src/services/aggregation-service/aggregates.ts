import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { nextNumber } from '../../bmc/numbers.ts'
import type { Aggregate } from '../../bmc/managed-device.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import type { Message } from '../../redfish/messages/message.ts'
import { collection, link, type Resource, resource } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { lastSegment, referencePath, uris } from '../../redfish/uris.ts'
import { missingReferences, Reference, refuse } from './references.ts'
import { AGGREGATE_RESET, aggregateReset, type ResetOptions } from './reset.ts'

const closed = { additionalProperties: false }
const ADD = 'Aggregate.AddElements'
const REMOVE = 'Aggregate.RemoveElements'
const References = Type.Array(Reference)
const Elements = Type.Object({ Elements: References }, closed)

/** Aggregates: resources that are reset, or updated, together. */
export function aggregateRows(options: ResetOptions): Row[] {
  return [
    {
      path: uris.aggregates,
      type: 'AggregateCollection',
      view: ({ state }) =>
        collection(
          'AggregateCollection',
          uris.aggregates,
          'Aggregates',
          [...state.aggregates.keys()].map(uris.aggregate),
        ),
      post: create,
    },
    {
      path: uris.aggregate(':id'),
      type: 'Aggregate',
      view: ({ state }, { id = '' }) => {
        const aggregate = state.aggregates.get(id)
        return aggregate && aggregateView(aggregate)
      },
      delete: ({ bmc, params: { id = '' } }) => {
        commit(bmc, { aggregates: [[id, undefined]] })
        return { status: 204 }
      },
      actions: {
        [ADD]: elementsAction((elements, given) => [...new Set([...elements, ...given])]),
        [REMOVE]: elementsAction((elements, given) => elements.filter((uri) => !given.includes(uri))),
        [AGGREGATE_RESET]: aggregateReset(options),
      },
    },
  ]
}

function aggregateView({ id, name, elements }: Aggregate): Resource {
  const uri = uris.aggregate(id)
  const actions = [ADD, REMOVE, AGGREGATE_RESET]
  return {
    ...resource('Aggregate', uri, name ?? `Aggregate ${id}`),
    Elements: elements.map(link),
    'Elements@odata.count': elements.length,
    ElementsCount: elements.length,
    Actions: Object.fromEntries(
      actions.map((action) => [`#${action}`, { target: uris.action(uri, action) }]),
    ),
  }
}

/** As Resource.Name has it. */
const Name = Type.String({ minLength: 1, maxLength: 1_024 })
const NewAggregate = Type.Object({ Name: Type.Optional(Name), Elements: References }, closed)

function create({ bmc, body }: Call<Bmc>): Answer {
  const { Name: name, Elements: given } = bodyAs(NewAggregate, body, () => missing({ bmc, body }))
  const id = String(nextNumber(bmc, 'aggregates'))
  const aggregate = { id, name, elements: [...new Set(pathsOf(given))] }
  commit(bmc, { aggregates: [[id, aggregate]] })
  return { status: 201, headers: { Location: uris.aggregate(id) }, body: aggregateView(aggregate) }
}

function elementsAction(
  change: (elements: readonly string[], given: readonly string[]) => readonly string[],
): BmcAction {
  return {
    parameters: Elements,
    mistakes: missing,
    run: ({ bmc, params: { id = '' }, body }) => {
      const { Elements: given } = body as Static<typeof Elements>
      refuse(missing({ bmc, body }))
      const aggregate = bmc.state.aggregates.get(id)
      if (aggregate !== undefined) {
        const elements = change(aggregate.elements, pathsOf(given))
        commit(bmc, { aggregates: [[id, { ...aggregate, elements }]] })
      }
      return { status: 204 }
    },
  }
}

function pathsOf(given: Static<typeof References>): string[] {
  return given.map((one) => referencePath(one['@odata.id']))
}

/** Each of the elements that there is not. */
function missing({ bmc, body }: Pick<Call<Bmc>, 'bmc' | 'body'>): Message[] {
  return missingReferences(body, 'Elements', (path) => isElement(bmc, path))
}

/** What is a part of a device, or a piece of its firmware. */
function isElement({ machine }: Bmc, path: string): boolean {
  const isFirmware = path === uris.firmware(lastSegment(path)) && machine.components.has(lastSegment(path))
  return isFirmware || machine.resources.has(path)
}
