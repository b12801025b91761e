# Fails if a C++ block of the documentation is not marked, or quotes what is not in the source:
# cmake -D SOURCE=... -D WORK=... -P check.cmake
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/snippets.cmake)
hindsight_snippets(${SOURCE} ${WORK} names problems)
if(problems)
  message(FATAL_ERROR "${problems}")
endif()
list(LENGTH names count)
if(count EQUAL 0)
  message(FATAL_ERROR "no program found in the documentation")
endif()
message(STATUS "${count} programs in the documentation")
