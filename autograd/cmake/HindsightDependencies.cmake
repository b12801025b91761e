# Finds what the libraries are built on; used by our own build and by the installed package.
# Every package that is missing is added to HINDSIGHT_MISSING as "what it is|Debian package".

set(HINDSIGHT_MISSING "")

macro(hindsight_require name package)
  if(NOT ${name}_FOUND)
    list(APPEND HINDSIGHT_MISSING "${name}|${package}")
  endif()
endmacro()

# Finds the CMake package `name` of version `least` or any later one. find_package is not told the version: the
# version files of some packages, such as xsimd's, take no other major version than the one asked for.
macro(hindsight_find name least package)
  find_package(${name} QUIET)
  if(NOT ${name}_FOUND)
    list(APPEND HINDSIGHT_MISSING "${name}|${package}")
  elseif(${name}_VERSION VERSION_LESS ${least})
    list(APPEND HINDSIGHT_MISSING "${name} ${least} (${${name}_VERSION} is in ${${name}_DIR})|${package}")
  endif()
endmacro()

# One sentence with all that is missing and the command that installs it, or nothing.
function(hindsight_missing_message result)
  set(names "")
  set(packages "")
  foreach(entry IN LISTS HINDSIGHT_MISSING)
    string(REPLACE "|" ";" entry "${entry}")
    list(GET entry 0 name)
    list(GET entry 1 package)
    list(APPEND names ${name})
    list(APPEND packages ${package})
  endforeach()
  list(JOIN names ", " names)
  list(JOIN packages " " packages)
  set(${result} "")
  if(names)
    set(${result} "Hindsight needs ${names}: apt-get install ${packages}")
  endif()
  set(${result} "${${result}}" PARENT_SCOPE)
endfunction()

hindsight_find(xsimd 8 libxsimd-dev)
hindsight_find(xtensor 0.24 libxtensor-dev)
hindsight_find(fmt 9 libfmt-dev)
find_package(Threads REQUIRED)

# openblas_config.h stands beside the right cblas.h; a plain cblas.h may belong to another BLAS.
find_library(HINDSIGHT_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas openblas-pthread)
find_path(HINDSIGHT_OPENBLAS_INCLUDE openblas_config.h PATH_SUFFIXES openblas openblas-pthread openblas-openmp openblas-serial)
mark_as_advanced(HINDSIGHT_OPENBLAS_LIBRARY HINDSIGHT_OPENBLAS_INCLUDE)
set(OpenBLAS_FOUND FALSE)
if(HINDSIGHT_OPENBLAS_LIBRARY AND HINDSIGHT_OPENBLAS_INCLUDE)
  set(OpenBLAS_FOUND TRUE)
  if(NOT TARGET Hindsight::OpenBLAS)
    add_library(Hindsight::OpenBLAS INTERFACE IMPORTED)
    target_include_directories(Hindsight::OpenBLAS INTERFACE ${HINDSIGHT_OPENBLAS_INCLUDE})
    target_link_libraries(Hindsight::OpenBLAS INTERFACE ${HINDSIGHT_OPENBLAS_LIBRARY})
  endif()
endif()
hindsight_require(OpenBLAS libopenblas-dev)

# Not by its CMake package, which insists on OpenCL. The header is taken from beside the library
# first: PyTorch ships one of another version.
find_library(HINDSIGHT_DNNL_LIBRARY dnnl)
if(HINDSIGHT_DNNL_LIBRARY)
  get_filename_component(_dnnl_dir "${HINDSIGHT_DNNL_LIBRARY}" DIRECTORY)
  find_path(HINDSIGHT_DNNL_INCLUDE oneapi/dnnl/dnnl.h NO_DEFAULT_PATH
            HINTS ${_dnnl_dir}/../include ${_dnnl_dir}/../../include)
  find_path(HINDSIGHT_DNNL_INCLUDE oneapi/dnnl/dnnl.h)
  unset(_dnnl_dir)
endif()
mark_as_advanced(HINDSIGHT_DNNL_LIBRARY HINDSIGHT_DNNL_INCLUDE)
set(HINDSIGHT_DNNL_FOUND FALSE)
if(HINDSIGHT_DNNL_LIBRARY AND HINDSIGHT_DNNL_INCLUDE)
  set(HINDSIGHT_DNNL_FOUND TRUE)
  if(NOT TARGET Hindsight::dnnl)
    add_library(Hindsight::dnnl INTERFACE IMPORTED)
    target_include_directories(Hindsight::dnnl INTERFACE ${HINDSIGHT_DNNL_INCLUDE})
    # gomp: oneDNN takes its thread count from GNU OpenMP, whatever compiles us.
    target_link_libraries(Hindsight::dnnl INTERFACE ${HINDSIGHT_DNNL_LIBRARY} gomp)
  endif()
endif()
