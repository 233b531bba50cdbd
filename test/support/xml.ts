export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
}

const TOKEN =
  /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<(\/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/** The root element of a well-formed document without a DTD; throws for anything else. */
export function rootOf(text: string): Element {
  const document: Element = { name: '', attributes: {}, children: [] }
  const open: Element[] = [document]
  let at = 0
  while (at < text.length) {
    const here = open.at(-1) ?? document
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)
    if (token === null) {
      at = endOfText(text, at, here === document)
      continue
    }
    at = TOKEN.lastIndex
    const [, slash, name, attributes = '', selfClosing] = token
    if (name === undefined) continue
    if (slash === '/') {
      if (here.name !== name || here === document) throw new Error(`not XML: ${name} closes ${here.name}`)
      open.pop()
    } else {
      const element = { name, attributes: attributesOf(attributes), children: [] }
      here.children.push(element)
      if (selfClosing !== '/') open.push(element)
    }
  }
  const [root, ...more] = document.children
  if (root === undefined || more.length > 0 || open.length > 1)
    throw new Error('not XML: not one root that is closed')
  return root
}

function endOfText(text: string, start: number, isOutside: boolean): number {
  const next = text.indexOf('<', start)
  const end = next === -1 ? text.length : next
  const between = text.slice(start, end)
  if (end === start || (isOutside && between.trim() !== ''))
    throw new Error(`not XML: ${text.slice(start, start + 40)}`)
  checkReferences(between)
  return end
}

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    if (Object.hasOwn(attributes, name)) throw new Error(`not XML: ${name} is there twice`)
    attributes[name] = double ?? single ?? ''
    checkReferences(attributes[name])
  }
  return attributes
}

function checkReferences(text: string): void {
  if (/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)/.test(text))
    throw new Error(`not XML: a bare & in ${text}`)
}
