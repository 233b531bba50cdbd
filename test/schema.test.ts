import { Ajv } from 'ajv'
import { Type as TypeBox } from 'typebox'
import { describe, expect, test } from 'vitest'
import { Type } from '../src/lib/schema.ts'

/** One use of every builder, and of what they do together. */
const uses = (build: typeof Type) => ({
  String: build.String({ minLength: 1, pattern: '^a' }),
  Number: build.Number({ exclusiveMinimum: 0 }),
  Integer: build.Integer({ minimum: 1, maximum: 3 }),
  Boolean: build.Boolean(),
  Literal: build.Literal('one'),
  Union: build.Union([build.Literal('one'), build.Literal(2)]),
  Array: build.Array(build.String(), { maxItems: 2 }),
  Record: build.Record(build.String(), build.Number()),
  Object: build.Object(
    { needed: build.String(), left: build.Optional(build.Object({ inner: build.Number() })) },
    { additionalProperties: false },
  ),
  Optional: build.Object({ all: build.Optional(build.Integer({ minimum: 0 })) }),
  Unsafe: build.Unsafe<string>({ type: 'string', enum: ['a', 'b'] }),
})

const texts = ['', 'a', 'ab', 'b', 'one', null, true]
const numbers = [0, 1, 1.5, 2, 4, -1]
const lists = [[], ['a'], ['a', 'b', 'c'], [1]]
const objects = [{}, { a: 1 }, { a: 'b' }, { all: 1 }, { all: -1 }, { all: 'a' }, { left: { inner: 1 } }]
const closed = [{ needed: 'a' }, { needed: 1 }, { needed: 'a', other: 1 }, { needed: 'a', left: {} }]
const values = [...texts, ...numbers, ...lists, ...objects, ...closed, { needed: 'a', left: { inner: 1 } }]

describe('a schema made without loading TypeBox', () => {
  test.each(Object.keys(Type) as (keyof typeof Type)[])('%s judges as TypeBox’s own does', (name) => {
    const judgeWith = (build: typeof Type) => {
      const validate = new Ajv({ allowUnionTypes: true }).compile(uses(build)[name])
      return values.map((value) => validate(value))
    }
    expect(new Set(judgeWith(TypeBox))).toEqual(new Set([true, false]))
    expect(judgeWith(Type)).toEqual(judgeWith(TypeBox))
  })

  test('a schema that is optional in one place is needed in another', () => {
    const name = Type.String()
    const validate = new Ajv().compile(Type.Object({ first: Type.Optional(name), second: name }))
    expect(validate({ second: 'a' })).toBe(true)
    expect(validate({ first: 'a' })).toBe(false)
  })
})
