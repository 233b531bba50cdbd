import type { Static, TSchema, Type as TypeBox } from 'typebox'

export type { Static, TSchema }

type Options = Readonly<Record<string, unknown>>
type Properties = Readonly<Record<string, object>>

const optional = Symbol('optional')

/** What TypeBox's builders of these names make: plain JSON Schema. */
const builders = {
  String: (options?: Options) => ({ type: 'string', ...options }),
  Number: (options?: Options) => ({ type: 'number', ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Literal: (value: string | number | boolean) => ({ type: typeof value, const: value }),
  Union: (types: readonly object[]) => ({ anyOf: types }),
  Array: (items: object, options?: Options) => ({ type: 'array', items, ...options }),
  Record: (_key: object, value: object) => ({ type: 'object', patternProperties: { '^.*$': value } }),
  Object: (properties: Properties, options?: Options) => {
    const required = Object.entries(properties).filter(([, schema]) => !(optional in schema))
    return { type: 'object', required: required.map(([name]) => name), properties, ...options }
  },
  Optional: (schema: object) => ({ ...schema, [optional]: true }),
  Unsafe: (schema: object) => schema,
}

/**
 * TypeBox's builders, as far as we use them, typed by TypeBox: its types cost nothing, but loading its 250 modules would
 * take a quarter of the start. `test/schema.test.ts` holds the two against each other.
 */
export const Type = builders as unknown as Pick<typeof TypeBox, keyof typeof builders> // as that test shows
