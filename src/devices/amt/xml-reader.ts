import type { Xml } from '../../redfish/xml.ts'

/** Deeper than any message of WS-MAN. */
const MAX_DEPTH = 64
const TOKEN =
  /<\?[^>]*\?>|<!--[\s\S]*?-->|<(?<close>\/)?(?<name>[A-Za-z_][\w:.-]*)(?<attributes>(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/)?>/y
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

interface Open {
  readonly name: string
  readonly attributes: Record<string, string>
  readonly elements: Xml[]
  text: string
}

/**
 * The root of a document, its names without their prefixes; `undefined` where the text is no well-formed XML, or more
 * than a message may be (a DTD, CDATA).
 */
export function readXml(document: string): Xml | undefined {
  const outside: Open = { name: '', attributes: {}, elements: [], text: '' }
  const open: Open[] = [outside]
  for (let at = 0; at < document.length;) {
    const here = open.at(-1) ?? outside
    TOKEN.lastIndex = at
    const token = TOKEN.exec(document)
    if (token === null) {
      const end = endOfText(document, at)
      const text = unescaped(document.slice(at, end))
      if (end === at || text === undefined || (here === outside && text.trim() !== '')) return undefined
      here.text += text
      at = end
      continue
    }
    at = TOKEN.lastIndex
    const { close, name, attributes = '', empty } = token.groups ?? {}
    if (name === undefined) continue
    if (close !== undefined) {
      if (here === outside || here.name !== name) return undefined
      open.pop()
      open.at(-1)?.elements.push(closed(here))
      continue
    }
    const told = attributesOf(attributes)
    if (told === undefined || open.length > MAX_DEPTH) return undefined
    const element: Open = { name, attributes: told, elements: [], text: '' }
    if (empty === undefined) open.push(element)
    else here.elements.push(closed(element))
  }
  return open.length === 1 && outside.elements.length === 1 ? outside.elements[0] : undefined
}

/** The elements that stand in one, or those of them that have this name. */
export function elementsOf(xml: Xml | undefined, name?: string): readonly Xml[] {
  if (xml === undefined || typeof xml.content === 'string') return []
  return name === undefined ? xml.content : xml.content.filter((one) => one.name === name)
}

/** What is found by going down from an element by these names, the first one of each. */
export function elementAt(xml: Xml | undefined, ...path: readonly string[]): Xml | undefined {
  return path.reduce<Xml | undefined>((here, name) => elementsOf(here, name)[0], xml)
}

/** Its text, which is none where other elements stand in it. */
export function textAt(xml: Xml | undefined, ...path: readonly string[]): string | undefined {
  const found = elementAt(xml, ...path)
  if (found === undefined) return undefined
  return typeof found.content === 'string' ? found.content.trim() : ''
}

function closed({ name, attributes, elements, text }: Open): Xml {
  return { name: localName(name), attributes, content: elements.length > 0 ? elements : text }
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function endOfText(document: string, start: number): number {
  const next = document.indexOf('<', start)
  return next === -1 ? document.length : next
}

function attributesOf(text: string): Record<string, string> | undefined {
  const attributes: [string, string][] = []
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    const value = unescaped(double ?? single ?? '')
    if (value === undefined || attributes.some(([other]) => other === name)) return undefined
    attributes.push([name, value])
  }
  return Object.fromEntries(attributes.map(([name, value]) => [localName(name), value]))
}

function unescaped(text: string): string | undefined {
  let isRight = true
  const plain = text.replaceAll(/&([^;&]{0,10};?)/g, (all, reference: string) => {
    const found = referred(reference)
    isRight &&= found !== undefined
    return found ?? all
  })
  return isRight ? plain : undefined
}

function referred(reference: string): string | undefined {
  const [, decimal, hexadecimal, name] = /^(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));$/.exec(reference) ?? []
  if (name !== undefined) return Object.hasOwn(entities, name) ? entities[name] : undefined
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal)
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined
}
