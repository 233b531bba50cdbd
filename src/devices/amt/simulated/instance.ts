import { element, type Xml } from '../../../redfish/xml.ts'
import { ADDRESSING, ANONYMOUS, COMMON, resourceUri, WSMAN } from '../wsman.ts'

/** A reference to an instance of another class, by the properties that are its keys. */
interface Reference {
  readonly reference: string
  readonly keys: Readonly<Record<string, string>>
}

/** A value of DMTF's common types (DSP0230), which stands in an element of its own. */
interface Timed {
  readonly kind: 'Datetime' | 'Interval'
  readonly text: string
}

type Plain = string | number | boolean
type Value = Plain | readonly Plain[] | Reference | Timed

/** An instance of a CIM class; what is absent is not told. */
export type Instance = Readonly<Record<string, Value | undefined>>

/** The prefixes of all names in an answer. */
export const namespaces = {
  'xmlns:b': ADDRESSING,
  'xmlns:c': WSMAN,
  'xmlns:i': COMMON,
}

/** An instance as it stands in an answer. */
export function instanceXml(className: string, instance: Instance): Xml {
  return element(`h:${className}`, { 'xmlns:h': resourceUri(className) }, propertiesXml(instance, 'h'))
}

/** Its properties, in the order of their names, as Intel AMT tells them. */
export function propertiesXml(instance: Instance, prefix: string): Xml[] {
  return Object.entries(instance)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) => {
      const values: readonly (Value | undefined)[] = isList(value) ? value : [value]
      return values
        .filter((one) => one !== undefined)
        .map((one) => element(`${prefix}:${name}`, {}, contentOf(one)))
    })
}

function isList(value: Value | undefined): value is readonly Plain[] {
  return Array.isArray(value)
}

function contentOf(value: Value): Xml['content'] {
  if (typeof value !== 'object') return String(value)
  if ('kind' in value) return [element(`i:${value.kind}`, {}, value.text)]
  return 'reference' in value ? referenceXml(value) : ''
}

function referenceXml({ reference, keys }: Reference): Xml[] {
  const selectors = Object.entries(keys).map(([name, text]) => element('c:Selector', { Name: name }, text))
  return [
    element('b:Address', {}, ANONYMOUS),
    element('b:ReferenceParameters', {}, [
      element('c:ResourceURI', {}, resourceUri(reference)),
      element('c:SelectorSet', {}, selectors),
    ]),
  ]
}
