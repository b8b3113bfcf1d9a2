/**
 * Llama 4's conversation format, for checkpoints without a template of their own. Tools close the system message's head; a call is asked for, and
 * written, as JSON. Source of the layout: llama-models, chat_format.py; of the instructions: the model's published prompt format.
 */
export const BUILT_IN_TEMPLATE = `{%- macro head(role) -%}
  {{- "<|header_start|>" ~ role ~ "<|header_end|>\\n\\n" -}}
{%- endmacro -%}
{%- macro body(content) -%}
  {%- if content is string -%}{{- content -}}
  {%- else -%}
    {%- for part in content -%}{{- part.text if part.type == "text" else "<|image|>" -}}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- macro listing(tools) -%}
  {{- "You have access to the following functions. To call a function, please respond with JSON for a function call. " -}}
  {{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}. ' -}}
  {{- "Do not use variables.\\n\\n" -}}
  {%- for tool in tools -%}{{- tool | tojson(indent=4) ~ "\\n\\n" -}}{%- endfor -%}
{%- endmacro -%}
{{- bos_token -}}
{%- set has_system = messages and messages[0].role in ["system", "developer"] -%}
{%- if tools and not has_system -%}{{- head("system") ~ listing(tools) ~ "<|eot|>" -}}{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == "tool" -%}{{- head("ipython") -}}
  {%- elif message.role == "developer" -%}{{- head("system") -}}
  {%- else -%}{{- head(message.role) -}}
  {%- endif -%}
  {%- if tools and has_system and loop.first -%}{{- listing(tools) -}}{%- endif -%}
  {{- body(message.content) -}}
  {%- if message.tool_calls -%}
    {%- if message.content -%}{{- "\\n" -}}{%- endif -%}
    {%- for call in message.tool_calls -%}
      {{- '{"name": ' ~ (call.function.name | tojson) ~ ', "parameters": ' ~ (call.function.arguments | tojson) ~ "}" -}}
      {%- if not loop.last -%}{{- "\\n" -}}{%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- "<|eot|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- head("assistant") -}}{%- endif -%}`;
