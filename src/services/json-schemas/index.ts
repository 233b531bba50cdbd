import type { Row } from '../../bmc/bmc.ts'
import type { Machine } from '../../bmc/machine.ts'
import { typesInUse } from '../../bmc/types-in-use.ts'
import { collection, resource } from '../../redfish/resource.ts'
import { isOwnSchema, jsonSchemaUri } from '../../redfish/schema-locations.ts'
import type { ResourceTypeName } from '../../redfish/types.gen.ts'
import { uris } from '../../redfish/uris.ts'
import { ofEach } from '../../lib/of-each.ts'

/** The JSON schema of every type in use, and where it is published; `types` tells those of all rows, these included. */
export function jsonSchemaRows(types: () => ReadonlySet<ResourceTypeName>): Row[] {
  const schemasOf = ofEach((machine: Machine) => schemaFiles(machine, types()))
  return [
    {
      path: uris.jsonSchemas,
      type: 'JsonSchemaFileCollection',
      view: ({ machine }) =>
        collection(
          'JsonSchemaFileCollection',
          uris.jsonSchemas,
          'JSON schemas',
          [...schemasOf(machine).keys()].map(uris.jsonSchema),
        ),
    },
    {
      path: uris.jsonSchema(':id'),
      type: 'JsonSchemaFile',
      view: ({ machine }, { id = '' }) => {
        const type = schemasOf(machine).get(id)
        if (type === undefined) return undefined
        return {
          ...resource('JsonSchemaFile', uris.jsonSchema(id), `Schema of ${type.split('.').at(-1)}`),
          Languages: ['en'],
          Schema: type,
          Location: [{ Language: 'en', [isOwnSchema(id) ? 'Uri' : 'PublicationUri']: jsonSchemaUri(id) }],
        }
      },
    },
  ]
}

/** The types in use by the name of their schema file: `#Chassis.v1_28_0.Chassis` is in `Chassis.v1_28_0`. */
function schemaFiles(machine: Machine, types: ReadonlySet<ResourceTypeName>): Map<string, string> {
  return new Map(
    [...typesInUse(machine, types)].toSorted().map((type) => [type.slice(1, type.lastIndexOf('.')), type]),
  )
}
