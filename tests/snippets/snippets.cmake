# Finds the C++ in the documentation. The word after ```cpp says what a block is:
#
#   compile=NAME   (part of) a program: the blocks of one NAME in one file are joined, built, run
#   body=NAME      statements: the same, within main() and after the usual includes
#   quote=PATH     an excerpt: each part between lines of "..." must be in the source file PATH
#   fragment       neither, for a reason that a comment <!-- fragment: ... --> before it gives
#
# hindsight_snippets(ROOT FOLDER names problems) writes FOLDER/NAME.cpp for every program of ROOT's
# README.md and docs/*.md and returns their names, and a text of what is wrong (empty when nothing is).

set(body_start [[
#include <fmt/format.h>
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>

using namespace hindsight;

int main() {
]])

# The text without white space, in which a quote may differ.
function(without_layout text result)
  string(REGEX REPLACE "[ \t\r\n]+" "" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# A message about the part of a quote that is not in the file, or "".
function(check_quote root path code result)
  set(${result} "" PARENT_SCOPE)
  if(NOT EXISTS ${root}/${path})
    set(${result} "there is no file ${path}" PARENT_SCOPE)
    return()
  endif()
  file(READ ${root}/${path} source)
  without_layout("${source}" source)
  string(APPEND code "...\n")
  while(TRUE)
    string(FIND "${code}" "...\n" end)
    if(end EQUAL -1)
      return()
    endif()
    string(SUBSTRING "${code}" 0 ${end} part)
    math(EXPR after "${end} + 4")
    string(SUBSTRING "${code}" ${after} -1 code)
    without_layout("${part}" wanted)
    string(FIND "${source}" "${wanted}" found)
    if(found EQUAL -1)
      set(${result} "${path} does not hold\n${part}" PARENT_SCOPE)
      return()
    endif()
  endwhile()
endfunction()

function(hindsight_snippets root folder names_result problems_result)
  set(names "")
  set(problems "")
  file(GLOB documents ${root}/docs/*.md)
  foreach(document IN LISTS documents ITEMS ${root}/README.md)
    file(RELATIVE_PATH shown ${root} ${document})
    file(READ ${document} text)
    if(text MATCHES "\n[ \t]+```cpp|```c\\+\\+")
      string(APPEND problems "${shown}: C++ stands between ```cpp at the start of a line and ```\n")
    endif()
    set(before "")
    while(TRUE)
      string(FIND "${text}" "\n```cpp" start)
      if(start EQUAL -1)
        break()
      endif()
      string(SUBSTRING "${text}" 0 ${start} before)
      math(EXPR start "${start} + 7")
      string(SUBSTRING "${text}" ${start} -1 text)
      string(FIND "${text}" "\n" line_end)
      string(SUBSTRING "${text}" 0 ${line_end} kind)
      string(STRIP "${kind}" kind)
      math(EXPR line_end "${line_end} + 1")
      string(SUBSTRING "${text}" ${line_end} -1 text)
      string(FIND "${text}" "```" end)
      string(SUBSTRING "${text}" 0 ${end} code)
      math(EXPR end "${end} + 3")
      string(SUBSTRING "${text}" ${end} -1 text)

      if(kind MATCHES "^(compile|body)=([a-z0-9_]+)$")
        set(name ${CMAKE_MATCH_2})
        if(name IN_LIST names AND NOT "${from_${name}}" STREQUAL "${CMAKE_MATCH_1} ${shown}")
          string(APPEND problems "${shown}: ${name} is the name of another program\n")
        elseif(NOT name IN_LIST names)
          list(APPEND names ${name})
          set(from_${name} "${CMAKE_MATCH_1} ${shown}")
          set(code_${name} "")
        endif()
        string(APPEND code_${name} "${code}")
      elseif(kind MATCHES "^quote=([^ ]+)$")
        check_quote(${root} ${CMAKE_MATCH_1} "${code}" problem)
        if(problem)
          string(APPEND problems "${shown}: ${problem}\n")
        endif()
      elseif(NOT (kind STREQUAL "fragment" AND before MATCHES "<!-- fragment: [^\n]+ -->\n*$"))
        string(APPEND problems "${shown}: a block \"cpp ${kind}\" is neither compiled nor a fragment with a reason\n")
      endif()
    endwhile()
  endforeach()
  foreach(name IN LISTS names)
    string(REGEX REPLACE "^(.*) (.*)$" "// From \\2, \\1=${name}.\n" program "${from_${name}}")
    if(from_${name} MATCHES "^body ")
      string(APPEND program "${body_start}${code_${name}}}\n")
    else()
      string(APPEND program "${code_${name}}")
    endif()
    set(old "")
    if(EXISTS ${folder}/${name}.cpp)
      file(READ ${folder}/${name}.cpp old)
    endif()
    if(NOT old STREQUAL program)
      file(WRITE ${folder}/${name}.cpp "${program}")
    endif()
  endforeach()
  set(${names_result} "${names}" PARENT_SCOPE)
  set(${problems_result} "${problems}" PARENT_SCOPE)
endfunction()
